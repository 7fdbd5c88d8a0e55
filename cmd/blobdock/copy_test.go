package main

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/internal/layout"
)

// pushed makes a directory with a registry of one blob in one repository.
func pushed(t *testing.T) (dir string, d digest.Digest) {
	t.Helper()
	dir = t.TempDir()
	s, err := openStore(t.Context(), "file://"+dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	name, err := reference.WithName("team/app")
	if err != nil {
		t.Fatal(err)
	}
	desc, err := s.Repository(name).Put(t.Context(), "", []byte("content"))
	if err != nil {
		t.Fatal(err)
	}
	return dir, desc.Digest
}

// files are the contents of a directory that belong to a registry.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := make(map[string]string)
	err := filepath.WalkDir(filepath.Join(dir, "docker"), func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		all[strings.TrimPrefix(path, dir)] = string(b)
		return err
	})
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return all
}

func TestCopyCommand(t *testing.T) {
	src, d := pushed(t)
	bad, _ := pushed(t)
	if err := os.WriteFile(filepath.Join(bad, layout.Layout{Root: layout.DefaultRoot}.Blob(d)), []byte("CONTENT"), 0o600); err != nil {
		t.Fatal(err)
	}
	const one = "1 blobs (7B), 1 links and 0 tags "
	for _, tt := range []struct {
		name, src string
		args      []string
		want      string
		fails     string
		empty     bool
	}{
		{name: "all", src: src, want: one + "copied; 0 blobs (0B), 0 links and 0 tags were there ("},
		{name: "dry run", src: src, args: []string{"--dry-run"}, want: one + "would be copied", empty: true},
		{name: "repository", src: src, args: []string{"--repository", "team/app", "--verify", "--keep-tags", "--concurrency", "1"}, want: one + "copied"},
		{name: "no tag", src: src, args: []string{"--repository", "team/app", "--tag", "v1"}, want: "missing  v1: tag: ", fails: "not everything was copied", empty: true},
		{name: "json", src: src, args: []string{"--json"}, want: `{"blobs":1,"blobs_there":0,"bytes":7,"bytes_there":0,"complete":true,"dryrun":false,"incomplete":0,`},
		{name: "corrupt", src: bad, want: "corrupt  docker/registry/v2/blobs/sha256/", fails: "1 problems", empty: true},
		{name: "corrupt, json", src: bad, args: []string{"--json"}, want: `"incomplete":true,"key":"docker/registry/v2/blobs/sha256/`, fails: "1 problems", empty: true},
		{name: "nothing there", src: t.TempDir(), want: "0 blobs", fails: "docker/registry/v2: no registry there", empty: true},
	} {
		dst := t.TempDir()
		got, err := run(t, copyCommand(), append(tt.args, "file://"+tt.src, "file://"+dst)...)
		switch {
		case tt.fails == "" && err != nil, tt.fails != "" && (err == nil || !strings.Contains(err.Error(), tt.fails)):
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.fails)
		case !strings.Contains(got, tt.want):
			t.Errorf("%s printed\n%swant %q", tt.name, got, tt.want)
		}
		want := files(t, src)
		if tt.empty {
			want = nil
		}
		if there := files(t, dst); !maps.Equal(there, want) {
			t.Errorf("%s: copied %q, want %q", tt.name, slices.Sorted(maps.Keys(there)), slices.Sorted(maps.Keys(want)))
		}
		if slices.Contains(tt.args, "--json") {
			for line := range strings.Lines(got) {
				if !json.Valid([]byte(line)) {
					t.Errorf("%s printed %q", tt.name, line)
				}
			}
		}
	}
}

func TestCopyRefuses(t *testing.T) {
	for _, tt := range []struct {
		want string
		args []string
	}{
		{"accepts 2 arg", []string{"mem://a"}},
		{"SRC and DST are both mem://a", []string{"mem://a", "mem://a/"}},
		{"SRC and DST are both s3://b/p", []string{"s3://b/p?region=x", "s3://b/p/?concurrency=9"}},
		{"SRC and DST are both file://", []string{"file:///a/x", "file:///a/y/../x"}},
		{"--concurrency 0: want 1 to 1024", []string{"--concurrency", "0", "mem://a", "mem://b"}},
		{"--tag: want --repository", []string{"--tag", "v1", "mem://a", "mem://b"}},
		{`repository "a/**/b": want a name such as`, []string{"--repository", "a/**/b", "mem://a", "mem://b"}},
		{"SRC: ", []string{"ftp://a", "mem://b"}},
		{`DST: storage blobdock: parameter lookups="0"`, []string{"mem://a", "mem://b?lookups=0"}},
		{"DST: ", []string{"mem://a", "mem://b?nonsense=1"}},
	} {
		if _, err := run(t, copyCommand(), tt.args...); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: got %v, want %q", tt.args, err, tt.want)
		}
	}
}

// TestCopyKeepsSecrets prints no query of a URL.
func TestCopyKeepsSecrets(t *testing.T) {
	src := t.TempDir()
	out, err := run(t, copyCommand(), "file://"+src+"?fsync=true", "mem://x?part_min=5MiB")
	if err == nil || strings.Contains(out+err.Error(), "part_min") {
		t.Errorf("got %v, printed %s", err, out)
	}
}

func TestCopyInterrupted(t *testing.T) {
	src, _ := pushed(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out bytes.Buffer
	err := runCopy(ctx, &out, &out, "file://"+src, "mem://interrupted", copyFlags{concurrency: 1})
	if err == nil || !strings.Contains(err.Error(), "interrupted; run it again to go on") || !strings.Contains(out.String(), "0 blobs") {
		t.Errorf("got %v, printed %q", err, &out)
	}
}

func TestSize(t *testing.T) {
	for n, want := range map[int64]string{0: "0B", 1023: "1023B", 1024: "1.0 KiB", 3 << 19: "1.5 MiB", 2 << 40: "2.0 TiB", 1 << 62: "4096.0 PiB"} {
		if got := size(n); got != want {
			t.Errorf("size(%d) = %q, want %q", n, got, want)
		}
	}
}
