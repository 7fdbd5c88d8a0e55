package file_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/file"
)

// TestETagsNeverRepeat writes fast and in a way that uses inode numbers again.
func TestETagsNeverRepeat(t *testing.T) {
	b := open(t, t.TempDir(), file.Options{NoSync: true})
	seen := map[string]int{}
	for i := range 2000 {
		etag := put(t, b, "key", "same").ETag
		if before, dup := seen[etag]; dup {
			t.Fatalf("writes %d and %d have the ETag %s", before, i, etag)
		}
		seen[etag] = i
		if i%3 == 0 {
			if err := b.Delete(t.Context(), "key", driver.DeleteOptions{}); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestETagStaysWithTheFile checks that making and removing links, which changes
// the time of the last status change, leaves the ETag alone.
func TestETagStaysWithTheFile(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir, file.Options{NoSync: true})
	obj, err := b.Put(t.Context(), "key", body("x"), driver.WriteOptions{Cond: driver.Cond{IfAbsent: true}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Link(filepath.Join(dir, "key"), filepath.Join(dir, "other")); err != nil {
		t.Fatal(err)
	}
	if got, err := b.Stat(t.Context(), "key"); err != nil || got.ETag != obj.ETag {
		t.Errorf("ETag %s became %s, %v", obj.ETag, got.ETag, err)
	}
}
