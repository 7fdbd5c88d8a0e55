package gc_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/blobdock/blobdock/internal/overlay"
)

// mutant leaves a rule of docs/gc-protocol.md out of the code, by a change of its text, which is in
// the file once.
type mutant struct {
	name     string
	file     string
	old, new string
}

// mutantSeeds take about a minute of a processor.
const mutantSeeds = "3000"

// TestMutants puts each fault into the code and has the package's tests find it: those of a single
// thing each, or at last the simulation, in so many seeds. Without
// BLOBDOCK_TEST_FULL it sees only that the text of each is still there to be changed.
func TestMutants(t *testing.T) {
	for _, m := range mutants {
		t.Run(strings.ReplaceAll(m.name, " ", "_"), func(t *testing.T) {
			text := overlay.Replaced(t, filepath.Join("..", m.file), m.old, m.new)
			if os.Getenv("BLOBDOCK_TEST_FULL") == "" {
				return
			}
			t.Parallel()
			m.mustFail(t, text)
		})
	}
}

// mustFail builds the package's tests with the text in the place of the file, and runs them.
func (m mutant) mustFail(t *testing.T, text []byte) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	binary := overlay.Tests(ctx, t, filepath.Join("..", m.file), text)
	cmd := exec.CommandContext(ctx, binary, "-test.skip", "^TestMutants$", "-test.failfast", "-test.timeout", "5m", "-sim.seeds", mutantSeeds)
	out, err := cmd.CombinedOutput()
	if err == nil || !bytes.Contains(out, []byte("--- FAIL: Test")) || bytes.Contains(out, []byte("test timed out")) {
		t.Errorf("no test finds it: %v\n%.1000s", err, out)
		return
	}
	t.Logf("found after %v of processor time: %s", cmd.ProcessState.UserTime().Round(time.Second/10), finding(out))
}

// finding is what a test that failed has found.
func finding(out []byte) string {
	test := ""
	for line := range strings.Lines(string(out)) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "--- FAIL: "); ok {
			test = name
		}
		if _, what, ok := strings.Cut(line, "_test.go:"); ok {
			return test + ": " + strings.TrimSpace(what)
		}
	}
	return test
}
