package file_test

import (
	"bytes"
	"errors"
	"net/url"
	"os"
	"path/filepath"
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
	b, err := driver.Open(t.Context(), "file://./none?create=no")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Stat(t.Context(), "key"); !errors.Is(err, driver.NoBucket) {
		t.Errorf("Stat in a missing folder: %v", err)
	}
}
