package simulation_test

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

// mutant leaves out a rule that guards against what others were struck by, or might be, by a change of the
// text of a file, which is there once.
type mutant struct {
	name     string
	public   string // where the fault in another registry is told, or what is written on it
	file     string
	old, new string
}

const (
	afterCollection = "https://github.com/distribution/distribution/issues/3743" // and 3800, 4569, 4702
	whilePushing    = "https://github.com/openshift/origin/issues/3333"
	emptyBlobs      = "https://github.com/distribution/distribution/issues/2966"
	partsMixed      = "https://github.com/distribution/distribution/pull/2389"
	readOnly        = "https://distribution.github.io/distribution/about/garbage-collection/"
)

var mutants = []mutant{
	{"a collector deletes what was pushed meanwhile", whilePushing, "gc/collect.go", "	if err := m.all(ctx); err != nil {\n		return err\n	}\n", "	_ = m.all\n"},
	{"a collector does not wait for pushes", readOnly, "gc/collect.go", "undecided && rest > 0; rest =", "undecided && rest < 0; rest ="},
	{"two collectors: what another has condemned is not waited for", readOnly, "gc/collect.go", "	c.acked = time.Now()\n	has :=", "	c.acked = time.Now().Add(-c.options.Wait)\n	has :="},
	{"a paused collector deletes late", readOnly, "internal/tombstone/delete.go", "		o.NotAfter = s.NotAfter\n", ""},
	{"a push counts on what is condemned", afterCollection, "internal/tombstone/watch.go", "				err := t.Change(ctx, w.bucket, func(t *Tombstone) { t.State = Rescued })\n", "				err := error(nil)\n"},
	{"a push counts on what is being deleted", afterCollection, "internal/tombstone/watch.go", "		if t.Names(o) {\n			return true\n", "		if t.Names(o) {\n			return false\n"},
	{"an empty blob counts as there", emptyBlobs, "blobstore/internal/upload/trust.go", "	case obj.Size != c.size, obj.ContentEncoding != \"\":\n", "	case obj.ContentEncoding != \"\":\n"},
	{"content is not compared with its digest", partsMixed, "blobstore/internal/upload/commit.go", "	if got != d {\n", "	if got == \"\" {\n"},
	{"a copy counts on what is collected", afterCollection, "transfer/lasting.go", "!watch.Expired(since)", "since.IsZero() == false"},
	{"retention deletes any tag", "", "retention/policy.go", "			if matches(r.Tags, t.Name) {\n", "			if matches(r.Tags, t.Name) || len(r.Tags) > 0 {\n"},
}

// TestMutants puts each fault into the code and has the simulation find it, within a minute. Without
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

// mustFail builds the simulation with the text in the place of the file, and runs it for a minute of a processor.
func (m mutant) mustFail(t *testing.T, text []byte) {
	binary := overlay.Tests(t.Context(), t, filepath.Join("..", m.file), text)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, "-test.run", "^TestSystem$", "-test.failfast", "-test.timeout", "4m", "-sim.seeds", "2400")
	out, err := cmd.CombinedOutput()
	if err == nil || !bytes.Contains(out, []byte("--- FAIL: TestSystem")) {
		t.Errorf("the simulation does not find it: %v", err)
		return
	}
	_, finding, _ := strings.Cut(string(out), "sim_test.go:")
	_, finding, _ = strings.Cut(finding, ": ")
	finding, _, _ = strings.Cut(finding, "\n")
	t.Logf("found after %v: %.300s", cmd.ProcessState.UserTime().Round(time.Second/10), finding)
}
