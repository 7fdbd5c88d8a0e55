//go:build clients

package integration_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/blobdock/blobdock/integration/emulator"
	"github.com/blobdock/blobdock/integration/wire"
)

// clientTests are of the clients that emulator.NewClient returns. docs/clients.md has the
// table.
var clientTests = map[string]func(t *testing.T, c emulator.Client, s site){
	"regctl":   regctl,
	"oras":     orasProgram,
	"cosign":   cosign,
	"helm":     helm,
	"buildkit": buildkit,
	"podman":   podman,
}

// TestClients has the programs of others work with "blobdock serve", on every store, with
// and without redirects. It has a tag of its own for make test-clients, which builds the
// programs first: some take minutes to build.
func TestClients(t *testing.T) {
	for _, name := range slices.Sorted(maps.Keys(emulator.Clients())) {
		t.Run(name, func(t *testing.T) {
			test, known := clientTests[name]
			if !known {
				t.Fatal("no test is known of this client")
			}
			client := emulator.NewClient(t, name)
			onEachSite(t, "", func(t *testing.T, s site) { test(t, client, s) })
		})
	}
}

// onEachSite runs a test on "blobdock serve" with every store, with and without redirects, and
// with more options.
func onEachSite(t *testing.T, more string, test func(t *testing.T, s site)) {
	t.Helper()
	onEach(t, func(t *testing.T, direct cloud) {
		for _, redirect := range []string{"on", "off"} {
			t.Run("redirect_"+redirect, func(t *testing.T) {
				c, proxy := direct.through(t)
				p := serving(t, c.env(t), byFlags(c.bare(c.newBucket(t))+more, "--redirect", redirect))
				test(t, site{p.url, strings.TrimPrefix(p.url, "http://"), proxy})
				wantQuiet(t, p.stderr.String())
			})
		}
	})
}

// wantQuiet looks for what a registry has logged. What clients ask on their way is nothing to
// log.
func wantQuiet(t *testing.T, log string) {
	t.Helper()
	for line := range strings.Lines(log) {
		deleted := strings.Contains(line, `err.code="manifest unknown"`) && !strings.Contains(line, "unknown tag=sha")
		emulator := strings.Contains(line, "does not honour all conditional writes")
		if !deleted && !emulator {
			t.Errorf("the registry logs %s", line)
		}
	}
}

// site is where a client finds a registry.
type site struct {
	url   string
	host  string      // as it stands in an image's name
	store *wire.Proxy // all that goes to the store and comes from it
}

// tool is a client's program with a home of its own.
type tool struct {
	t    *testing.T
	home string
	run  func(args ...string) *exec.Cmd
}

func newTool(t *testing.T, c emulator.Client, program string, env ...string) tool {
	t.Helper()
	home := t.TempDir()
	return tool{t, home, func(args ...string) *exec.Cmd { return c.Command(t, home, env, program, args...) }}
}

// try runs the program to its end, with input.
func (p tool) try(input string, args ...string) (stdout, stderr string, err error) {
	p.t.Helper()
	var out, diag strings.Builder
	cmd := p.run(args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(input), &out, &diag
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	limit := time.AfterFunc(3*time.Minute, func() { _ = cmd.Process.Kill() })
	defer limit.Stop()
	err = cmd.Wait()
	return out.String(), diag.String(), err
}

// do runs the program, which must succeed, and returns what it prints to stdout.
func (p tool) do(args ...string) string {
	p.t.Helper()
	return p.feed("", args...)
}

// feed is do with input.
func (p tool) feed(input string, args ...string) string {
	p.t.Helper()
	stdout, stderr, err := p.try(input, args...)
	if err != nil {
		p.t.Fatalf("%s: %v\n%s%s", strings.Join(args, " "), err, stdout, stderr)
	}
	return strings.TrimSpace(stdout)
}

// fails runs the program, which must fail, and returns what it prints to stderr.
func (p tool) fails(args ...string) string {
	p.t.Helper()
	stdout, stderr, err := p.try("", args...)
	if err == nil {
		p.t.Fatalf("%s: succeeds\n%s%s", strings.Join(args, " "), stdout, stderr)
	}
	return stderr
}

// decoded is the JSON of a text.
func decoded[T any](t *testing.T, text string) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return v
}

// wantTags compares the tags of a repository. Clients that find no referrers API leave a tag
// for each subject.
func (s site) wantTags(t *testing.T, repo string, want ...string) {
	t.Helper()
	res := do(t, http.MethodGet, s.url+"/v2/"+repo+"/tags/list", nil, nil).want(t, http.StatusOK)
	got := decoded[struct{ Tags []string }](t, res.body).Tags
	if slices.Sort(got); !slices.Equal(got, want) {
		t.Errorf("tags of %s: %q, want %q", repo, got, want)
	}
}

// descriptor is what is read of one.
type descriptor struct {
	MediaType    string
	Digest       string
	ArtifactType string
}

// referrers are those of a manifest, by artifact type.
func (s site) referrers(t *testing.T, repo, subject string) map[string][]string {
	t.Helper()
	res := do(t, http.MethodGet, s.url+"/v2/"+repo+"/referrers/"+subject, nil, nil).want(t, http.StatusOK)
	found := make(map[string][]string)
	for _, d := range decoded[struct{ Manifests []descriptor }](t, res.body).Manifests {
		found[d.ArtifactType] = append(found[d.ArtifactType], d.Digest)
	}
	return found
}

// delete removes a manifest, by its digest.
func (s site) delete(t *testing.T, repo, digest string) {
	t.Helper()
	do(t, http.MethodDelete, s.url+"/v2/"+repo+"/manifests/"+digest, nil, nil).want(t, http.StatusAccepted)
}

// wantFile compares a file with what was pushed.
func wantFile(t *testing.T, path string, want []byte) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s: %d bytes that differ from the %d that were pushed", filepath.Base(path), len(got), len(want))
	}
}
