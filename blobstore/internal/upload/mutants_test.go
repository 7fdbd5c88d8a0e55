package upload

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// mutant is a fault that the engine once had, or could have, as a change of its text, and
// the test that finds it.
type mutant struct {
	name     string // of the fault
	file     string
	old, new string // old is in the file once
	test     string // that fails
	full     bool   // with BLOBDOCK_TEST_FULL only
}

// TestMutants puts each fault into the engine and has the test that it names fail. Without
// BLOBDOCK_TEST_FULL it sees only that the text of each is still there to be changed.
//
// The fault lies over the package as go build's -overlay, so that nothing is copied.
func TestMutants(t *testing.T) {
	record, err := os.ReadFile("../../../docs/track-record.md")
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[string]bool)
	for _, m := range mutants {
		if !bytes.Contains(record, []byte("`"+m.name+"`")) {
			t.Errorf("docs/track-record.md does not name the mutant %q", m.name)
		}
		if seen[m.name] {
			t.Errorf("there are two mutants %q", m.name)
		}
		seen[m.name] = true
		t.Run(m.name, func(t *testing.T) {
			text, err := os.ReadFile(m.file)
			if err != nil {
				t.Fatal(err)
			}
			if n := bytes.Count(text, []byte(m.old)); n != 1 {
				t.Fatalf("%s has this %d times, want it once: change the mutant with the code\n%s", m.file, n, m.old)
			}
			if os.Getenv("BLOBDOCK_TEST_FULL") == "" {
				return
			}
			t.Parallel()
			m.mustFail(t, bytes.Replace(text, []byte(m.old), []byte(m.new), 1))
		})
	}
}

// mustFail builds the package's tests with the text in the place of the file, and runs one.
func (m mutant) mustFail(t *testing.T, text []byte) {
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	changed, overlay, binary := filepath.Join(dir, m.file), filepath.Join(dir, "overlay.json"), filepath.Join(dir, "upload.test")
	replace, err := json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(here, m.file): changed}})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(changed, text, 0o600), os.WriteFile(overlay, replace, 0o600)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	if out, err := exec.CommandContext(ctx, "go", "test", "-overlay", overlay, "-ldflags=-w", "-c", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("it does not build: %v\n%s", err, out)
	}
	cmd := exec.CommandContext(ctx, binary, "-test.run", "^"+m.test+"$", "-test.timeout", "5m", "-test.failfast")
	cmd.Env = append(os.Environ(), "BLOBDOCK_TEST_FULL="+map[bool]string{true: "1"}[m.full])
	out, err := cmd.CombinedOutput()
	if err == nil || !bytes.Contains(out, []byte("--- FAIL: "+m.test)) && !bytes.Contains(out, []byte("panic: ")) {
		t.Errorf("%s does not find it: %v\n%s", m.test, err, tail(out))
		return
	}
	t.Log(tail(out))
}

// tail is the beginning of what a test tells.
func tail(out []byte) string {
	lines := strings.SplitN(string(out), "\n", 6)
	return strings.Join(lines[:min(len(lines), 5)], "\n")
}
