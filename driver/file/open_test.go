package file_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/file"
)

func TestTidiedUpRoot(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir, file.Options{})
	put(t, b, "key", "x")
	if err := os.RemoveAll(filepath.Join(dir, ".blobdock")); err != nil {
		t.Fatal(err)
	}
	put(t, b, "key", "y")
}

func TestURL(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	for _, tt := range []struct{ raw, path string }{
		{"file://" + (&url.URL{Path: filepath.ToSlash(dir) + "/abs dir"}).EscapedPath(), "abs dir/key"},
		{"file://./rel?fsync=off", "rel/key"},
		{"file://rel2?create=yes", "rel2/key"},
		{"file://rel3/below", "rel3/below/key"},
		{"file://./a b/c", "a b/c/key"},
		{"file://./a%20b/d", "a b/d/key"},
		{"file://./100%25/%23%3F+&=%40", "100%/#?+&=@/key"},
		{"file://./größe", "größe/key"},
		{"file://./localhost", "localhost/key"},
		{"file:" + filepath.ToSlash(dir) + "/slash", "slash/key"},
	} {
		b, err := driver.Open(t.Context(), tt.raw)
		if err != nil {
			t.Errorf("Open(%q): %v", tt.raw, err)
			continue
		}
		put(t, b, "key", "x")
		if got, err := os.ReadFile(filepath.Join(dir, tt.path)); err != nil || !bytes.Equal(got, []byte("x")) {
			t.Errorf("%s: %q, %v", tt.raw, got, err)
		}
		if err := b.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
}

// TestMissingRoot checks that reading creates nothing: a missing root is an empty bucket
// until the first write, or with NoCreate none at all.
func TestMissingRoot(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, create := range []bool{true, false} {
		b, err := driver.Open(t.Context(), fmt.Sprintf("file://./a/root?create=%t", create))
		if err != nil {
			t.Fatal(err)
		}
		wantStat, want := error(driver.NotFound), error(nil)
		if !create {
			wantStat, want = driver.NoBucket, driver.NoBucket
		}
		_, statErr := b.Stat(t.Context(), "key")
		_, openErr := b.Open(t.Context(), "key", driver.Range{}, driver.ReadOptions{})
		for what, err := range map[string]error{"Stat": statErr, "Open": openErr} {
			if !errors.Is(err, wantStat) {
				t.Errorf("create %t: %s: %v, want %v", create, what, err, wantStat)
			}
		}
		page, listErr := b.ListPage(t.Context(), driver.ListRequest{})
		if len(page.Items) != 0 {
			t.Errorf("create %t: List: %v", create, page.Items)
		}
		for what, err := range map[string]error{"List": listErr, "Delete": b.Delete(t.Context(), "a/key", driver.DeleteOptions{})} {
			if want == nil && err != nil || !errors.Is(err, want) {
				t.Errorf("create %t: %s: %v, want %v", create, what, err, want)
			}
		}
		if _, err := os.Stat("a"); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("create %t: reading made the folder: %v", create, err)
		}
		if !create {
			if _, err := b.Put(t.Context(), "key", body("x"), driver.WriteOptions{}); !errors.Is(err, driver.NoBucket) || !strings.Contains(err.Error(), filepath.Join("a", "root")) {
				t.Errorf("Put: %v", err)
			}
			continue
		}
		put(t, b, "key", "x")
		if err := b.Close(); err != nil {
			t.Error(err)
		}
		if err := os.RemoveAll("a"); err != nil {
			t.Fatal(err)
		}
	}
}

// TestRootIsNoFolder checks the error for a root that is a file.
func TestRootIsNoFolder(t *testing.T) {
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	b := open(t, name, file.Options{})
	if _, err := b.Stat(t.Context(), "key"); !errors.Is(err, driver.Invalid) || !strings.Contains(err.Error(), name+" is no folder") {
		t.Errorf("Stat: %v", err)
	}
}

// TestVanishedRoot checks that a root that goes away is not made anew under an open
// bucket: it may be a mount point.
func TestVanishedRoot(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "root")
	b := open(t, dir, file.Options{})
	put(t, b, "key", "x")
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Put(t.Context(), "key", body("x"), driver.WriteOptions{}); !errors.Is(err, driver.NoBucket) {
		t.Errorf("Put: %v", err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder is there: %v", err)
	}
}
