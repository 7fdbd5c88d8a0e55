package emulator

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// module is an emulator that is built from a pinned Go module.
type module struct {
	name  string   // of the folder beside this file that pins it, and of its program
	path  string   // the main package
	flags []string // of go build
}

// build compiles the program, unless a build of the same sources by the same
// compiler is cached.
func (m module) build(ctx context.Context, p platform) (program, error) {
	dir, err := sourceDir(ctx, m.name)
	if err != nil {
		return program{}, err
	}
	hash := sha256.New()
	for _, name := range []string{"go.mod", "go.sum"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return program{}, fmt.Errorf("pinned versions of %s: %w", m.name, err)
		}
		hash.Write(b)
	}
	fmt.Fprintf(hash, "%q %s", m.flags, runtime.Version())
	key := fmt.Sprintf("%x-%s-%s", hash.Sum(nil)[:6], p.os, p.arch)
	path, err := cached(ctx, m.name, key, m.name, func(out string) error {
		return m.compile(ctx, dir, out, p)
	})
	if err != nil {
		return program{}, err
	}
	return program{path: path, key: key}, nil
}

func (m module) compile(ctx context.Context, dir, out string, p platform) error {
	fmt.Fprintf(os.Stderr, "emulator: building %s for %s/%s; this takes minutes, once\n", m.path, p.os, p.arch)
	args := append([]string{"build", "-mod=readonly", "-trimpath", "-o", out}, m.flags...)
	cmd := exec.CommandContext(ctx, "go", append(args, m.path)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off", "CGO_ENABLED=0", "GOOS="+p.os, "GOARCH="+p.arch)
	if b, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", m.path, err, bytes.TrimSpace(b))
	}
	return nil
}

// sourceDir returns the named folder beside this package's sources. It asks
// the go command, since tests run in the folders of other packages and a
// trimmed binary doesn't know where it came from.
func sourceDir(ctx context.Context, name string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", "list", "-f", "{{.Dir}}", "github.com/blobdock/blobdock/integration/emulator")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	b, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("find the sources of the emulators: %w: %s", err, bytes.TrimSpace(stderr.Bytes()))
	}
	return filepath.Join(strings.TrimSpace(string(b)), name), nil
}
