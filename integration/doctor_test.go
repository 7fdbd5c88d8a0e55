package integration_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// doctorPage is what "blobdock doctor" says with the exit code.
func doctorPage(t *testing.T, code int, env []string, args ...string) string {
	t.Helper()
	p := launch(t, env, append([]string{"doctor"}, args...)...)
	if got := p.code(t, time.Minute); got != code {
		t.Fatalf("doctor %q: exit code %d, want %d\n%s%s", args, got, code, p.stdout.String(), p.stderr.String())
	}
	return p.stdout.String() + p.stderr.String()
}

// TestDoctor examines a registry on every store: one in order, one that is damaged, and a
// store that is down, refuses the key, or lacks the bucket. No page has a secret, and the bucket
// is as it was.
func TestDoctor(t *testing.T) {
	onEach(t, func(t *testing.T, c cloud) {
		bucket := c.newBucket(t)
		writeImage(t, serve(t, on(t, c, bucket)).URL, "doctor/one:v1", randomImage(t, kib, 1))
		b := edit(t, c, bucket)
		// What pushes leave is removed a little later.
		kept := func() []string {
			return slices.DeleteFunc(keys(t, b), func(key string) bool { return strings.Contains(key, "/_uploads/") })
		}
		before := kept()
		code := 0
		if keepsSources(c) {
			code = 1 // fake-gcs-server ignores conditions, which is a problem
		}
		config := filepath.Join(t.TempDir(), "config.yml")
		text := "version: 0.1\nhttp: {addr: \":0\", secret: s3cr3t-http}\nstorage:\n  blobdock: {url: \"" + c.bare(bucket) + "\"}\n"
		if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		for name, in := range logins(t, c, bucket) {
			t.Run(name, func(t *testing.T) {
				for _, want := range []struct {
					code int
					args []string
					text []string
				}{
					{code, []string{config}, []string{"  ok       put ", "  ok       clock ", "CHECK OF A SAMPLE: doctor/one\n", "0 damaged", "  secret: REDACTED"}},
					{0, []string{"--read-only", c.bare(bucket)}, []string{"written        nothing", "  ok       clock ", "CHECK OF A SAMPLE: doctor/one\n"}},
					{1, []string{c.bare("blobdock-no-such-bucket")}, []string{"PROBLEMS\n  probe, list: ", "WHAT THE CONFIGURATION DOES"}},
					{1, []string{c.at("http://"+freeAddr(t)).bare(bucket) + "&retries=0"}, []string{"PROBLEMS\n  probe, list: ", "store unavailable", "WHAT THE CONFIGURATION DOES"}},
				} {
					page := doctorPage(t, want.code, in.env, want.args...)
					for _, text := range want.text {
						if !strings.Contains(page, text) {
							t.Errorf("%q: no %q in\n%s", want.args, text, page)
						}
					}
					for _, secret := range append(in.secrets, "s3cr3t", "X-Amz-Signature", "X-Goog-Signature", "sig=", "PRIVATE KEY") {
						if strings.Contains(page, secret) {
							t.Errorf("%q tells %s:\n%s", want.args, secret, page)
						}
					}
				}
			})
		}
		refused := c.wrong()
		page := doctorPage(t, 1, refused.env(t), refused.bare(bucket))
		if !strings.Contains(page, "PROBLEMS\n  probe, list: ") || !strings.Contains(page, "access denied") || strings.Contains(page, wrongSecret) {
			t.Errorf("a wrong key:\n%s", page)
		}
		if diff := cmp.Diff(before, kept()); diff != "" {
			t.Errorf("the bucket is changed (-before +after):\n%s", diff)
		}
		var got struct {
			Probe  []struct{ Check, Status string }
			Sample struct{ Summary map[string]any }
		}
		if err := json.Unmarshal([]byte(doctorPage(t, 0, c.env(t), "--json", "--read-only", c.bare(bucket))), &got); err != nil || len(got.Probe) < 3 || got.Sample.Summary["complete"] != true {
			t.Errorf("--json: %v, %+v", err, got)
		}
	})
}
