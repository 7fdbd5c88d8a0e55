package file_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/file"
)

// TestPutBesideDelete checks that a folder that a delete removes is no obstacle.
func TestPutBesideDelete(t *testing.T) {
	b := open(t, t.TempDir(), file.Options{NoSync: true})
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			key := fmt.Sprintf("a/b/c/d/%d", i)
			for n := range 200 {
				c := driver.Cond{IfAbsent: n%2 == 0}
				if _, err := b.Put(t.Context(), key, body("x"), driver.WriteOptions{Cond: c}); err != nil {
					t.Errorf("Put(%q): %v", key, err)
				}
				if err := b.Delete(t.Context(), key, driver.DeleteOptions{}); err != nil {
					t.Errorf("Delete(%q): %v", key, err)
				}
			}
		})
	}
	wg.Wait()
	if got := keys(t, b, driver.ListRequest{}); len(got) != 0 {
		t.Errorf("left %q", got)
	}
}

// TestOldReader checks that an open reader keeps its version.
func TestOldReader(t *testing.T) {
	b := open(t, t.TempDir(), file.Options{NoSync: true})
	put(t, b, "key", "old version")
	rd, err := b.Open(t.Context(), "key", driver.Range{Off: 4}, driver.ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rd.Close() }()
	put(t, b, "key", "new version")
	if err := b.Delete(t.Context(), "key", driver.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(rd); string(got) != "version" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

// TestCutOffFile checks that a file that another program shortens does not pass
// for a shorter object.
func TestCutOffFile(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir, file.Options{NoSync: true})
	put(t, b, "key", "0123456789")
	rd, err := b.Open(t.Context(), "key", driver.Range{}, driver.ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rd.Close() }()
	if err := os.Truncate(filepath.Join(dir, "key"), 4); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(rd); string(got) != "0123" || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %q, %v", got, err)
	}
}
