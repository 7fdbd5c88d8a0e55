package verify_test

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/integration/emulator"
	"github.com/blobdock/blobdock/integration/google"
	"github.com/blobdock/blobdock/integration/laws"
	"github.com/blobdock/blobdock/integration/verify"
)

// emulated is an emulator, plain or behind laws.
type emulated struct {
	name string
	// open makes a bucket, and returns its URL and the secrets that open it.
	open func(t *testing.T) (url string, secrets []string)
	// clauses are those of the conformance suite that make test runs here.
	clauses string
	// fails are the failures that the report has, by how each begins. A failure that is
	// gone is to be taken off this list.
	fails []string
	// full are further failures, of what is run with BLOBDOCK_TEST_FULL alone.
	full []string
	// sometimes are failures that depend on chance: the random walk meets what fails, or not.
	sometimes []string
	// answers are some of the answers.
	answers map[string]string
}

// emulators are those that TestVerifyCloud verifies. The answers of an emulator are what
// the emulator does, which is not what the cloud does.
var emulators = []emulated{
	{
		name: "s3",
		open: func(t *testing.T) (string, []string) { return onS3(t, emulator.Start(t), "minio") },
		answers: map[string]string{
			"part-gaps": "accepted", "unnamed-part": "accepted", "put-rate": "not throttled", "if-match-put": "honoured",
			"if-match-copy": "ignored", "delete-if-match": "ignored", "list-uploads": "by the exact key", "smallest-part": "5MiB",
			"checksum-crc32c": "compared", "put-race-absent": "1 wins", "suffix-range": "honoured",
		},
	},
	{
		name: "gcs", clauses: "delete-absent|cond-honoured|bucket-not-key|sign|wire-cost|features",
		open: func(t *testing.T) (string, []string) { return onGCS(t, emulator.StartGCS(t)) },
		fails: []string{
			"probe: conditions: copy-if-absent is ignored", "conformance: cond-honoured",
		},
		full: []string{
			"conformance: etag-pins", "conformance: list-pages", "conformance: copy",
		},
		sometimes: []string{"conformance: model"},
		answers: map[string]string{
			"put-rate": "not throttled", "if-match-put": "honoured", "if-match-concat": "ignored",
			"delete-if-match": "ignored", "compose-delete-sources": "ignored", "etag-of-equal-bytes": "different", "soft-delete": "no",
		},
	},
	{
		name: "azure",
		open: func(t *testing.T) (string, []string) { return onAzure(t, emulator.StartAzure(t)) },
		full: []string{"conformance: key-bytes", "conformance: copy-part"},
		answers: map[string]string{
			"put-rate": "not throttled", "delete-if-match": "honoured", "append-put-blob": "accepted",
			"append-put-block": "refused", "append-copy": "accepted", "suffix-range": "no valid reply", "folder-placeholders": "no",
			"put-drops-blocks": "kept",
		},
	},
	{
		name: "s3-laws-aws", open: lawfulS3("aws", "aws"), clauses: "cond-honoured|complete-by-etag|part-order",
		answers: map[string]string{
			"part-gaps": "accepted", "part-gaps-composite": "refused", "part-gaps-full-object": "refused", "unnamed-part": "accepted",
			"put-race-absent": "1 wins", "etag-of-equal-bytes": "different", "delete-if-match": "honoured",
			"if-match-copy": "honoured", "put-rate": "not throttled",
		},
	},
	{
		name: "s3-laws-ceph", open: lawfulS3("ceph", "ceph"), clauses: "complete-by-etag|part-order",
		answers: map[string]string{
			"part-gaps": "accepted", "unnamed-part": "refused", "if-match-put": "never met", "if-match-complete": "never met",
		},
	},
	{
		name: "s3-laws-r2", open: lawfulS3("r2", "r2"), clauses: "complete-by-etag|part-order",
		sometimes: []string{walkInBatch},
		answers: map[string]string{
			"put-rate": "throttled", "delete-rate": "throttled", "put-race-absent": "1 wins", "unequal-parts": "refused",
			"if-match-copy": "ignored",
		},
	},
	{
		name: "gcs-laws", clauses: "concat-pins|concat-atomic|sign",
		open: func(t *testing.T) (string, []string) {
			g, _ := laws.GCS(t, emulator.StartGCS(t), laws.Options{GCS: laws.GCSOptions{KeyRate: keyRate()}}, "gcs")
			return onGCS(t, g)
		},
		sometimes: []string{walkInBatch},
		answers: map[string]string{
			"put-rate": "throttled", "delete-rate": "throttled", "put-race-absent": "1 wins", "if-match-concat": "honoured",
			"if-match-copy": "honoured", "delete-if-match": "honoured", "compose-source-generation": "honoured", "compose-delete-sources": "honoured",
		},
	},
	{
		name: "azure-laws", clauses: "complete-by-etag|copy-part|etag-pins",
		open: func(t *testing.T) (string, []string) {
			a, _ := laws.Azure(t, emulator.StartAzure(t), laws.Options{}, "azure")
			return onAzure(t, a)
		},
		full: []string{"conformance: key-bytes"}, // Azurite sorts by UTF-16 units, which no law corrects
		answers: map[string]string{
			"append-put-blob": "accepted", "append-put-block": "refused", "append-copy": "accepted", "append-condition-first": "by the type",
			"suffix-range": "refused", "put-race-absent": "1 wins",
		},
	},
}

// walkInBatch fails when the random walk deletes one key twice in one batch: a limit on the
// writes to one key never lets the second deletion pass.
const walkInBatch = "conformance: model"

// keyRate is how often one key may be written to: the documented rate in full runs, and
// ten times that rate in runs of make test.
func keyRate() laws.KeyRate {
	if full() {
		return laws.KeyRate{}
	}
	return laws.KeyRate{Interval: 100 * time.Millisecond}
}

// sample are the clauses of the conformance suite that make test runs on a plain emulator.
// TestDriver runs all of them on the same emulators.
const sample = "delete-absent|cond-honoured|part-replace|complete-by-etag|complete-consumes|bucket-not-key|part-order|sign|wire-cost|features"

// sampled are the emulators that make test verifies.
var sampled = []string{"s3", "gcs-laws", "azure-laws"}

// full tells that tests take what the emulators are slow with, too.
func full() bool { return os.Getenv("BLOBDOCK_TEST_FULL") != "" }

// lawfulS3 is MinIO behind a set of laws, for a driver with a profile.
func lawfulS3(set, profile string) func(*testing.T) (string, []string) {
	return func(t *testing.T) (string, []string) {
		t.Helper()
		s, _ := laws.S3(t, emulator.Start(t), laws.Options{S3: laws.S3Options{KeyRate: keyRate()}}, set)
		return onS3(t, s, profile)
	}
}

func onS3(t *testing.T, s emulator.S3, profile string) (string, []string) {
	t.Helper()
	text := fmt.Sprintf("[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n", s.AccessKey, s.SecretKey)
	q := url.Values{"endpoint": {s.Endpoint}, "region": {s.Region}, "profile": {profile}, "path_style": {"true"}, "credentials_file": {secretFile(t, text)}}
	return "s3://" + s.NewBucket(t) + "/some/prefix?" + q.Encode(), []string{s.SecretKey}
}

func onGCS(t *testing.T, g emulator.GCS) (string, []string) {
	t.Helper()
	account, err := google.NewAccount()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(account.Close)
	file := filepath.Join(t.TempDir(), "account.json")
	if err := account.Write(file); err != nil {
		t.Fatal(err)
	}
	q := url.Values{"endpoint": {g.Endpoint}, "credentials_file": {file}}
	return "gs://" + g.NewBucket(t) + "/some/prefix?" + q.Encode(), nil
}

func onAzure(t *testing.T, a emulator.Azure) (string, []string) {
	t.Helper()
	q := url.Values{"endpoint": {a.Endpoint}, "key_file": {secretFile(t, a.Key+"\n")}}
	return "azblob://" + a.NewContainer(t) + "/some/prefix?" + q.Encode(), []string{a.Key}
}

func secretFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "credentials")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func verifyEmulators(t *testing.T) {
	t.Helper()
	for _, e := range emulators {
		if !full() && !slices.Contains(sampled, e.name) {
			continue
		}
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			e.verify(t)
		})
	}
}

func (e emulated) verify(t *testing.T) {
	at, secrets := e.open(t)
	clauses := cmp.Or(e.clauses, sample)
	command, expected := suiteCommand(t, "^TestVerifyCloud$/^("+clauses+")$", true), e.fails
	if full() {
		command, expected = suiteCommand(t, "^TestVerifyCloud$", false), append(slices.Clip(e.fails), e.full...)
	}
	r, err := verify.Run(t.Context(), verify.Options{URL: at, Suite: command, Version: "of this test", Log: t.Logf})
	if err != nil {
		t.Fatal(err)
	}
	wantFailures(t, r.Failures(), expected, e.sometimes)
	for name, want := range e.answers {
		if got, _ := r.Answer(name); got.Found != want {
			t.Errorf("%s: %q, want %q", name, got.Found, want)
		}
	}
	if len(r.Checks) < 16 || len(r.Steps) < 10 || len(r.Clauses) < strings.Count(clauses, "|") {
		t.Errorf("%d checks, %d steps, %d clauses: some are missing", len(r.Checks), len(r.Steps), len(r.Clauses))
	}
	wantEmpty(t, at)

	text := r.Markdown()
	wantNoSecret(t, text, at, secrets)
	if dir := os.Getenv("BLOBDOCK_VERIFY_REPORTS"); dir != "" {
		if err := os.WriteFile(filepath.Join(dir, e.name+".md"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// wantFailures compares failures with how those begin that must be there, and those that
// may.
func wantFailures(t *testing.T, got, want, sometimes []string) {
	t.Helper()
	for _, f := range got {
		if !slices.ContainsFunc(slices.Concat(want, sometimes), func(begins string) bool { return strings.HasPrefix(f, begins) }) {
			t.Errorf("failure: %s", f)
		}
	}
	for _, begins := range want {
		if !slices.ContainsFunc(got, func(f string) bool { return strings.HasPrefix(f, begins) }) {
			t.Errorf("%q does not fail any more: take it off the list", begins)
		}
	}
}

// wantNoSecret looks for what a report that anybody may read must not have.
func wantNoSecret(t *testing.T, text, at string, secrets []string) {
	t.Helper()
	u, err := url.Parse(at)
	if err != nil {
		t.Fatal(err)
	}
	secrets = append(secrets, u.Host) // the bucket's name
	for _, file := range []string{u.Query().Get("credentials_file"), u.Query().Get("key_file")} {
		if file != "" {
			secrets = append(secrets, file)
		}
	}
	for _, secret := range append(secrets, "X-Amz-Signature", "X-Amz-Credential", "X-Goog-Signature", "sig=", "Bearer ", "AWS4-HMAC", "SharedKey", "PRIVATE KEY") {
		if i := strings.Index(text, secret); i >= 0 {
			t.Errorf("%q in the report: ...%s...", secret, text[max(0, i-200):min(len(text), i+200)])
		}
	}
}

// wantEmpty fails the test when anything is left in the bucket.
func wantEmpty(t *testing.T, at string) {
	t.Helper()
	b, err := driver.Open(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	for e, err := range driver.List(t.Context(), b, driver.ListRequest{}) {
		t.Errorf("left: %s, %v", e.Key, err)
	}
	for u, err := range driver.ListUploads(t.Context(), b, driver.ListRequest{}) {
		t.Errorf("left: an upload to %s, %v", u.Key, err)
	}
}

// TestInterrupted ends a run in its midst. The run removes its objects all the same.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	at, _ := onS3(t, emulator.Start(t), "minio")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, err := verify.Run(ctx, verify.Options{URL: at, Log: func(format string, args ...any) {
		if strings.Contains(fmt.Sprintf(format, args...), "push on another replica") {
			cancel()
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	if !r.Interrupted || len(r.Answers) == 0 || len(r.Steps) != 3 || r.Removal.Objects == 0 {
		t.Errorf("interrupted %t, %d answers, %d steps, %d objects removed", r.Interrupted, len(r.Answers), len(r.Steps), r.Removal.Objects)
	}
	wantFailures(t, r.Failures(), []string{"interrupted"}, nil)
	wantEmpty(t, at)
}

func TestRefusedURLs(t *testing.T) {
	for _, at := range []string{"", "bucket", "s3://", "file:///tmp/x", "s3://b?region=r&secret_key=s3cr3t", "s3://user:s3cr3t@b"} {
		r, err := verify.Run(t.Context(), verify.Options{URL: at})
		if err == nil || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%q: %v, %v", at, r, err)
		}
	}
}
