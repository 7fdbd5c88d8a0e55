package emulator

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
)

// release is programs of one version of a Go module. They are built as their makers build
// them: with the module's own go.mod, go.sum, replacements and exclusions, some of which
// go install refuses.
type release struct {
	name     string
	module   string
	version  string
	packages []string // below the module: "./cmd/name"
}

// build compiles the programs, unless a build by the same compiler is cached. The program's
// path is the folder that they are in.
func (r release) build(ctx context.Context, _ platform) (program, error) {
	hash := sha256.New()
	fmt.Fprintf(hash, "%s@%s %q %q %s", r.module, r.version, r.packages, cheap, runtime.Version())
	key := fmt.Sprintf("%x", hash.Sum(nil)[:6])
	path, err := cached(ctx, r.name, key, "bin", func(bin string) error {
		if err := r.compile(ctx, bin); err != nil {
			return errors.Join(err, os.RemoveAll(bin))
		}
		return nil
	})
	if err != nil {
		return program{}, err
	}
	return program{path: path, key: key}, nil
}

func (r release) compile(ctx context.Context, bin string) error {
	fmt.Fprintf(os.Stderr, "emulator: building %s@%s; this takes minutes, once\n", r.module, r.version)
	download, err := exec.CommandContext(ctx, "go", "mod", "download", "-json", r.module+"@"+r.version).Output()
	var source struct{ Dir, Error string }
	if bad := json.Unmarshal(download, &source); bad != nil || source.Dir == "" {
		return fmt.Errorf("download %s@%s: %w: %s", r.module, r.version, errors.Join(err, bad), source.Error)
	}
	args := append([]string{"build", "-C", source.Dir, "-mod=readonly", "-trimpath", "-o", bin + "/"}, cheap...)
	cmd := exec.CommandContext(ctx, "go", append(args, r.packages...)...)
	cmd.Env = append(os.Environ(), "GOWORK=off", "CGO_ENABLED=0")
	if b, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s@%s: %w\n%s", r.module, r.version, err, bytes.TrimSpace(b))
	}
	return nil
}
