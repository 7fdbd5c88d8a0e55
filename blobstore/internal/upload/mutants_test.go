package upload

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/blobdock/blobdock/internal/overlay"
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
			text := overlay.Replaced(t, m.file, m.old, m.new)
			if os.Getenv("BLOBDOCK_TEST_FULL") == "" {
				return
			}
			t.Parallel()
			m.mustFail(t, text)
		})
	}
}

// mustFail builds the package's tests with the text in the place of the file, and runs one.
func (m mutant) mustFail(t *testing.T, text []byte) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	binary := overlay.Tests(ctx, t, m.file, text)
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
