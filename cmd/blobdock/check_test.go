package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/check"
)

// Digests of what is in the files of damaged.
const (
	manifestHex = "4e07408562bedb8b60ce05c1decfe3ad16b72230967de01f640b7e4729b49fce" // of "3"
	layerHex    = "4b227777d4dd1fc61c6f884f48641d02b4d121d3fd328cb08b5531fcacdabf8a" // of "4"
)

// damaged makes a directory with a registry whose tag names what is not there, and
// whose layer has other content than its digest says.
func damaged(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, text := range map[string]string{
		"repositories/app/_manifests/tags/v1/current/link":      "sha256:" + manifestHex,
		"repositories/app/_layers/sha256/" + layerHex + "/link": "no digest",
		"blobs/sha256/4b/" + layerHex + "/data":                 "5",
		"blobs/sha256/e3/README":                                "hello",
	} {
		write(t, filepath.Join(dir, "docker/registry/v2", name), text)
	}
	return dir
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestCheck(t *testing.T) {
	for _, tt := range []struct {
		name string
		args []string
		want []string // of the output, in order
		err  string   // "" is none
	}{
		{"young", nil, []string{"1 blobs (1B), 1 repositories, 0 links, 0 manifests (", "\nnot judged: 2 links and 1 blobs that are younger than 1h0m0s (--older-than) and may belong to a push under way\n0 damaged, 0 repaired\n"}, ""},
		{"damaged", []string{"--older-than", "0s"}, []string{
			"tag-missing        docker/registry/v2/repositories/app/_manifests/tags/v1/current/link\n" +
				"                   in app:v1\n                   sha256:" + manifestHex + " is missing\n",
			"link-malformed     docker/registry/v2/repositories/app/_layers/sha256/" + layerHex + "/link\n" +
				"                   in app\n                   it holds no digest\n" +
				"                   --repair writes docker/registry/v2/repositories/app/_layers/sha256/" + layerHex + "/link\n",
			"\nlink-malformed            1  a link that holds no digest\n",
			"\nkey-unknown               1  a key that has no place in a registry\n2 damaged, 0 repaired\n",
		}, "2 of 2 damaged remain"},
		{"contents", []string{"--older-than", "0s", "--digest"}, []string{"blob-digest        docker/", "1 blobs compared (1B)", "3 damaged, 0 repaired\n"}, "3 of 3 damaged remain"},
		{"notices", []string{"--older-than", "0s", "--notices"}, []string{"key-unknown        docker/registry/v2/blobs/sha256/e3/README\n"}, "2 of 2"},
		{"ignored", []string{"--older-than", "0s", "--ignore", "tag-missing,link-malformed"}, []string{"0 damaged, 0 repaired\n"}, ""},
		{"repaired in part", []string{"--older-than", "0s", "--repair"}, []string{"repaired: wrote docker/registry/v2/repositories/app/_layers/", "2 damaged, 1 repaired"}, "1 of 2 damaged remain"},
		{"not repaired", []string{"--older-than", "0s", "--repair=tag-unlinked,tag-unindexed"}, []string{"2 damaged, 0 repaired"}, "2 of 2 damaged remain"},
		{"repaired", []string{"--older-than", "0s", "--repair=link-malformed", "--ignore", "tag-missing"}, []string{"1 damaged, 1 repaired"}, ""},
		{"one repository", []string{"--older-than", "0s", "--repository", "app", "--ignore", "link-malformed"}, []string{"1 damaged"}, "1 of 1"},
		{"no such repository", []string{"--repository", "team/app"}, []string{"0 damaged"}, "repository team/app: not found"},
	} {
		out, err := run(t, checkCommand(), append(tt.args, "file://"+damaged(t))...)
		if text := errorText(err); (text == "") != (tt.err == "") || !strings.Contains(text, tt.err) {
			t.Errorf("%s: error %q, want %q", tt.name, text, tt.err)
		}
		for rest, i := out, 0; i < len(tt.want); i++ {
			_, after, ok := strings.Cut(rest, tt.want[i])
			if !ok {
				t.Errorf("%s: printed\n%s\nwant %q", tt.name, out, tt.want[i])
				break
			}
			rest = after
		}
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestCheckJSON(t *testing.T) {
	out, err := run(t, checkCommand(), "--json", "--older-than", "0s", "--repair", "--notices", "file://"+damaged(t))
	if err == nil {
		t.Error("no error though damage remains")
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	kinds := make(map[string]map[string]any)
	for _, text := range lines {
		var v map[string]any
		if err := json.Unmarshal([]byte(text), &v); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		kinds[v["kind"].(string)] = v
	}
	if len(lines) != 4 || len(kinds) != 4 || !strings.Contains(lines[3], `"kind":"summary"`) {
		t.Fatalf("printed\n%s", out)
	}
	for kind, want := range map[string]map[string]any{
		"link-malformed": {"damage": true, "repairable": true, "repaired": true, "repository": "app", "digest": "sha256:" + layerHex},
		"tag-missing":    {"damage": true, "repairable": false, "repaired": false, "manifest": nil, "detail": "sha256:" + manifestHex + " is missing"},
		"key-unknown":    {"damage": false, "repository": nil},
		"summary":        {"complete": true, "damage_found": 2.0, "damage_repaired": 1.0, "blobs": 1.0},
	} {
		for name, v := range want {
			if kinds[kind][name] != v {
				t.Errorf("%s: %s is %v, want %v", kind, name, kinds[kind][name], v)
			}
		}
	}
}

// TestCheckResumes has a file say that all was compared, in which nothing bad was
// found: what is bad all the same is not read again.
func TestCheckResumes(t *testing.T) {
	storage := "file://" + damaged(t)
	path := filepath.Join(t.TempDir(), "state")
	again := func(storage string, more ...string) (string, error) {
		return run(t, checkCommand(), append([]string{"--older-than", "0s", "--digest", "--state", path, "--ignore", "tag-missing,link-malformed", storage}, more...)...)
	}
	if out, err := again(storage); err == nil || !strings.Contains(out, "blob-digest") {
		t.Errorf("the first: %v\n%s", err, out)
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("the state is still there: %v", err)
	}
	f := stateFile{path: path, registry: identity(storage)}
	if err := f.save(check.State{Through: "docker/registry/v2/blobs/sha256/ff", Bytes: 1}); err != nil {
		t.Fatal(err)
	}
	for want, other := range map[string]func() (string, error){
		"belongs to file://": func() (string, error) { return again("file://" + t.TempDir()) },
		"repositories []":    func() (string, error) { return again(storage, "--repository", "app") },
	} {
		if _, err := other(); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "--state "+path) {
			t.Errorf("another: %v, want one with %q", err, want)
		}
	}
	if out, err := again(storage); err != nil || strings.Contains(out, "compared") {
		t.Errorf("resumed: %v\n%s", err, out)
	}
	for want, text := range map[string]string{
		"is not a state of blobdock check":  "{}",
		"has version 2 of the format, want": `{"version":2}`,
	} {
		write(t, path, text)
		if _, err := again(storage); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want one with %q", text, err, want)
		}
	}
	path = filepath.Join(t.TempDir(), "none", "state")
	if _, err := again(storage); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("in a directory that is not there: %v", err)
	}
}

// interrupting ends a context when a text is printed.
type interrupting struct {
	at   string
	stop context.CancelFunc
}

func (w interrupting) Write(p []byte) (int, error) {
	if strings.Contains(string(p), w.at) {
		w.stop()
	}
	return len(p), nil
}

// TestCheckInterrupted keeps what it has found, and goes on behind it.
func TestCheckInterrupted(t *testing.T) {
	dir := damaged(t)
	good := digest.FromString("good") // its key comes behind that of the other
	root := filepath.Join(dir, "docker/registry/v2")
	write(t, filepath.Join(root, "blobs/sha256", good.Encoded()[:2], good.Encoded(), "data"), "good")
	write(t, filepath.Join(root, "repositories/app/_layers/sha256", good.Encoded(), "link"), good.String())
	f := checkFlags{digest: true, concurrency: 1, ignore: []string{"tag-missing", "link-malformed"}, state: filepath.Join(t.TempDir(), "state")}

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	err := runCheck(ctx, interrupting{"blob-digest", cancel}, io.Discard, "file://"+dir, f)
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), f.state) {
		t.Errorf("interrupted: %v", err)
	}
	kept, err := os.ReadFile(f.state)
	if err != nil || !strings.Contains(string(kept), `"bad":["sha256:`+layerHex) {
		t.Fatalf("kept %s, %v", kept, err)
	}
	var out bytes.Buffer
	if err := runCheck(t.Context(), &out, io.Discard, "file://"+dir, f); err == nil || !strings.Contains(out.String(), "2 blobs compared") || !strings.Contains(out.String(), "blob-digest ") {
		t.Errorf("went on: %v\n%s", err, &out)
	}
	if _, err := os.Stat(f.state); !os.IsNotExist(err) {
		t.Errorf("the state is still there: %v", err)
	}
}

func TestIdentity(t *testing.T) {
	for in, want := range map[string]string{
		"s3://b/p?region=eu&access_key=secret":           "s3://b/p",
		"s3://b/p?endpoint=http://u:secret@h:1&region=x": "s3://b/p?endpoint=http%3A%2F%2Fh%3A1",
		"azblob://c/p?account=a&key_file=k":              "azblob://c/p?account=a",
	} {
		if got := identity(in); got != want {
			t.Errorf("identity(%s) = %s, want %s", in, got, want)
		}
	}
}

func TestCheckRefuses(t *testing.T) {
	for want, args := range map[string][]string{
		"--older-than":      {"--older-than", "-1s", "mem://x"},
		"--concurrency":     {"--concurrency", "0", "mem://x"},
		"--ignore \"rust\"": {"--ignore", "rust", "mem://x"},
		"--repair \"blob-empty\": want one of [link-malformed": {"--repair=blob-empty", "mem://x"},
		"--state":            {"--state", "file", "mem://x"},
		"repository \"A B\"": {"--repository", "A B", "mem://x"},
		"accepts 1":          {},
		"ftp":                {"ftp://host"},
		"prefix in the URL":  {"mem://empty?"},
	} {
		_, err := run(t, checkCommand(), args...)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want one that names %q", args, err, want)
		}
	}
}
