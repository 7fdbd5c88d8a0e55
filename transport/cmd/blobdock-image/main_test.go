package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/docker/distribution/registry/api/errcode"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/signatures"
	"github.com/blobdock/blobdock/transport/internal/sample"
)

// run runs a command line, with any image accepted by copies.
func run(ctx context.Context, args ...string) (stdout, stderr string, err error) {
	root := rootCommand()
	var out, errs bytes.Buffer
	root.SetOut(&out)
	root.SetErr(&errs)
	if args[0] == "copy" && !slices.Contains(args, "--policy") {
		args = append(args, "--insecure-policy")
	}
	root.SetArgs(args)
	err = root.ExecuteContext(ctx)
	return out.String(), errs.String(), err
}

func mustRun(t *testing.T, args ...string) string {
	t.Helper()
	out, _, err := run(t.Context(), args...)
	if err != nil {
		t.Fatalf("%q: %v", args, err)
	}
	return out
}

// TestWays copies an image to a bucket from each kind of file, and back.
func TestWays(t *testing.T) {
	t.Setenv("HOME", t.TempDir()) // of caches
	l, dir := sample.New(t), t.TempDir()
	layer := sample.Layer(1, 1000)
	image := l.Image("v1", "amd64", layer)
	arm := l.Image("", "arm64", layer)
	list := l.List("all", image, arm)
	bucket := "bucket:file://" + filepath.Join(dir, "bucket")
	for i, place := range []string{"dir:" + filepath.Join(dir, "d"), "oci:" + filepath.Join(dir, "o") + ":v1", "oci-archive:" + filepath.Join(dir, "oa") + ":v1"} {
		if i == 0 {
			_ = os.Mkdir(filepath.Join(dir, "d"), 0o755)
		}
		digestFile := filepath.Join(dir, "digest")
		mustRun(t, "copy", "--digestfile", digestFile, "oci:"+l.Dir+":v1", place)
		mustRun(t, "copy", "--preserve-digests", place, fmt.Sprintf("%s#team/app:from%d", bucket, i))
		mustRun(t, "copy", "--quiet", "--digestfile", digestFile, fmt.Sprintf("%s#team/app:from%d", bucket, i), place)
		if got, err := os.ReadFile(digestFile); err != nil || string(got) != image.Digest.String() {
			t.Errorf("by %s the image became %s, %v, want %s", place, got, err, image.Digest)
		}
	}
	archive := "docker-archive:" + filepath.Join(dir, "da")
	mustRun(t, "copy", bucket+"#team/app:from0", archive+":team/app:v1")
	mustRun(t, "copy", "--format", "v2s2", archive+":team/app:v1", bucket+"#other:v1")
	if out := mustRun(t, "copy", "--all", "oci:"+l.Dir+":all", bucket+"#team/app:all"); !strings.Contains(out, "Copying") {
		t.Errorf("a copy printed %q", out)
	}
	if out := mustRun(t, "list", bucket); out != "other:v1\nteam/app:all\nteam/app:from0\nteam/app:from1\nteam/app:from2\n" {
		t.Errorf("list printed\n%s", out)
	}
	var got inspected
	if err := json.Unmarshal([]byte(mustRun(t, "inspect", "--override-os", "linux", "--override-arch", "arm64", bucket+"#team/app:all")), &got); err != nil ||
		got.Digest != list.Digest || got.Architecture != "arm64" || got.Name != bucket+"#team/app:all" || len(got.LayersData) != 1 {
		t.Errorf("inspect printed %+v, %v", got, err)
	}
	if raw := mustRun(t, "inspect", "--raw", bucket+"#team/app:all"); !strings.Contains(raw, arm.Digest.String()) {
		t.Errorf("inspect --raw printed\n%s", raw)
	}
	if config := mustRun(t, "inspect", "--config", bucket+"#team/app:from0"); !strings.Contains(config, `"architecture":"amd64"`) {
		t.Errorf("inspect --config printed\n%s", config)
	}
	mustRun(t, "delete", bucket+"#team/app@"+image.Digest.String())
	mustRun(t, "delete", bucket+"#other:v1")
	if out := mustRun(t, "list", bucket); out != "other\nteam/app:all\n" {
		t.Errorf("after deletions list printed\n%s", out)
	}
}

// TestRefused tells what is wrong, without a secret.
func TestRefused(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	dir := t.TempDir()
	bucket := "bucket:file://" + dir
	empty := filepath.Join(dir, "no-policy")
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"copy", "app:v1", bucket + "#app:v1"}, "SRC: image app:v1: want docker://"},
		{[]string{"copy", bucket + "#app", bucket + "#app:v1"}, "SRC: image " + bucket + "#app: image \"app\": want a tag or a digest"},
		{[]string{"copy", "dir:" + dir, "bucket:s3://secretword:x@b?region=r#app:v1"}, "DST: image bucket:s3://...@b?...#app:v1"},
		{[]string{"copy", "dir:" + dir, "bucket:s3://b?region=r&secret_access_key=secretword#app:v1"}, "secret_access_key"},
		{[]string{"copy", bucket + "#app:v1", bucket + "#app:v2"}, "unknown tag=v1"},
		{[]string{"copy", "--format", "v3", bucket + "#app:v1", bucket + "#app:v2"}, "want oci or v2s2"},
		{[]string{"copy", "--src-creds", ":secretword", bucket + "#app:v1", bucket + "#app:v2"}, "--src-creds: want USER[:PASSWORD]"},
		{[]string{"copy", "--dest-creds", "u:secretword", "--dest-no-creds", bucket + "#app:v1", bucket + "#app:v2"}, "exclude each other"},
		{[]string{"copy", "--policy", empty, bucket + "#app:v1", bucket + "#app:v2"}, "--insecure-policy"},
		{[]string{"copy", bucket + "#app:v1"}, "accepts 2 arg"},
		{[]string{"inspect", "--raw", "--config", bucket + "#app:v1"}, "exclude each other"},
		{[]string{"inspect", bucket + "#app:v1"}, "unknown tag=v1"},
		{[]string{"list", "docker://host/app"}, "want bucket:"},
		{[]string{"list", "bucket:file://" + filepath.Join(dir, "missing")}, "does not exist"},
		{[]string{"list", bucket + "?colour=red"}, "colour"},
		{[]string{"delete", bucket + "#app:v1"}, "unknown tag=v1"},
	} {
		out, errs, err := run(t.Context(), tt.args...)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: %v, want %q", tt.args, err, tt.want)
		}
		if all := out + errs + fmt.Sprint(err); strings.Contains(all, "secretword") {
			t.Errorf("%q tells a secret: %s", tt.args, all)
		}
	}
}

func TestRedact(t *testing.T) {
	for text, want := range map[string]string{
		`Get "https://u:p@host/blob?X-Amz-Signature=abc&x=y": EOF`: `Get "https://...@host/blob?...": EOF`,
		"s3://b/p?endpoint=http%3A%2F%2Fh#app:v1 and more? yes":    "s3://b/p?...#app:v1 and more? yes",
		"list s3://b/p?region=r: no such bucket":                   "list s3://b/p?...: no such bucket",
		"s3://b/p?a=x:y:z":                                         "s3://b/p?...",
		"oci:dir:name":                                             "oci:dir:name",
	} {
		if got := redact(text); got != want {
			t.Errorf("%s became %s, want %s", text, got, want)
		}
		var b bytes.Buffer
		if n, err := (redacting{&b}).Write([]byte(text)); n != len(text) || err != nil || b.String() != want {
			t.Errorf("%s was written as %s: %d, %v", text, b.String(), n, err)
		}
	}
}

func TestRetries(t *testing.T) {
	later := fmt.Errorf("GET: %w", driver.Unavailable)
	for name, tt := range map[string]struct {
		errs  []error // of the calls, in order
		times int
		calls int
	}{
		"none":       {[]error{nil}, 3, 1},
		"in passing": {[]error{later, errors.New("connection reset"), nil}, 3, 3},
		"too often":  {[]error{later, later, nil}, 1, 2},
		"for good":   {[]error{fmt.Errorf("GET: %w", driver.Denied), nil}, 3, 1},
		"signatures": {[]error{signatures.ErrInvalid, nil}, 3, 1},
		"throttled":  {[]error{errcode.ErrorCodeTooManyRequests.WithMessage("slow"), nil}, 3, 2},
		"denied":     {[]error{errcode.Errors{errcode.ErrorCodeDenied.WithMessage("no")}, nil}, 3, 1},
	} {
		calls := 0
		err := retries{tt.times, 1}.run(t.Context(), t.Output(), func(context.Context) error {
			calls++
			return tt.errs[calls-1]
		})
		if calls != tt.calls || fmt.Sprint(err) != fmt.Sprint(tt.errs[calls-1]) {
			t.Errorf("%s: %d calls, %v, want %d", name, calls, err, tt.calls)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	err := retries{times: 3}.run(ctx, t.Output(), func(context.Context) error {
		cancel()
		return http.ErrServerClosed
	})
	if !errors.Is(err, errInterrupted) {
		t.Errorf("interrupted: %v", err)
	}
}
