package integration_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/blobdock/blobdock/integration/emulator"
)

// programDir is where programs are built to, once.
var programDir string

// The programs under test, and distribution's registry with its own drivers.
var (
	imageProgram = built("..", "./cmd/blobdock-image", "-tags=containers_image_openpgp")
	serveProgram = built("../..", "./cmd/blobdock")
	stockProgram = built("../../bench/stock", ".")
)

// built builds a package of the module in a folder, once.
func built(module, pkg string, flags ...string) func() (path string, err error) {
	return sync.OnceValues(func() (string, error) {
		// The go command keeps the results of tests by the files that they open, and does not see
		// what another go command reads.
		dir, err := filepath.Abs(filepath.Join(module, pkg))
		sources, gerr := filepath.Glob(filepath.Join(dir, "*.go"))
		for _, name := range sources {
			if err == nil {
				_, err = os.ReadFile(name)
			}
		}
		if err = errors.Join(err, gerr); err != nil {
			return "", err
		}
		path := filepath.Join(programDir, filepath.Base(dir))
		cmd := exec.Command("go", slices.Concat([]string{"build", "-ldflags=-s -w"}, flags, []string{"-o", path, pkg})...)
		cmd.Dir = module
		if len(flags) == 0 { // as the other modules' tests build them: they share the cache
			cmd.Env = slices.DeleteFunc(os.Environ(), func(kv string) bool { return strings.HasPrefix(kv, "CGO_ENABLED=") })
		}
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("build %s: %w\n%s", dir, err, out)
		}
		return path, nil
	})
}

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "blobdock-transport-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	programDir = dir
	return emulator.Run(m)
}
