package file_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/file"
)

// rounding is what a file system does that keeps times in multiples of step.
func rounding(step time.Duration) func(call, path string) error {
	return func(call, path string) error {
		if call != "lstat" && call != "stat" {
			return nil
		}
		if info, err := os.Stat(path); err == nil && !info.IsDir() {
			return os.Chtimes(path, time.Time{}, info.ModTime().Truncate(step))
		}
		return nil
	}
}

// failing makes calls of the system fail, by their names.
func failing(calls map[string]error) func(call, path string) error {
	return func(call, _ string) error { return calls[call] }
}

// TestLacking checks that one error names all that a file system lacks, that reading works
// there, and that writes succeed once it is mended.
func TestLacking(t *testing.T) {
	for name, tt := range map[string]struct {
		before func(call, path string) error
		want   []string
	}{
		"links on FAT":    {failing(map[string]error{"link": syscall.EPERM}), []string{"hard links (operation not permitted)"}},
		"links on SMB":    {failing(map[string]error{"link": syscall.EOPNOTSUPP}), []string{"hard links"}},
		"links on FUSE":   {failing(map[string]error{"link": syscall.ENOSYS}), []string{"hard links"}},
		"locks on NFS":    {failing(map[string]error{"lock": syscall.ENOLCK}), []string{"file locks (no locks available", "nolock"}},
		"locks on FUSE":   {failing(map[string]error{"lock": syscall.ENOSYS}), []string{"file locks"}},
		"times in 2 s":    {rounding(2 * time.Second), []string{"modification times of a microsecond or finer"}},
		"times in 10 ms":  {rounding(10 * time.Millisecond), []string{"modification times"}},
		"links and locks": {failing(map[string]error{"link": syscall.EPERM, "lock": syscall.ENOLCK}), []string{"hard links", "file locks"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := newRegistry(t)
			b := open(t, dir, file.Options{NoSync: true})
			file.Watch(b, tt.before)
			f := b.Features()
			key := registryKeys[0]
			obj, err := b.Stat(t.Context(), key)
			if err != nil {
				t.Fatalf("Stat: %v", err)
			}
			if got := content(t, b, key); got != "content of "+key {
				t.Errorf("%s holds %q", key, got)
			}
			if got := keys(t, b, driver.ListRequest{}); len(got) != len(registryKeys) {
				t.Errorf("List: %q", got)
			}
			_, put := b.Put(t.Context(), "new", body("x"), driver.WriteOptions{})
			_, copied := f.Copy(t.Context(), driver.CopyRequest{Src: driver.Source{Key: key}, Dst: "new"})
			_, moved := f.Concat(t.Context(), driver.ConcatRequest{Key: "new", Sources: []driver.Object{{Key: key, Size: obj.Size}}, DeleteSources: true})
			for what, err := range map[string]error{"Put": put, "Copy": copied, "Concat": moved, "Delete": b.Delete(t.Context(), key, driver.DeleteOptions{})} {
				if !errors.Is(err, file.ErrFileSystem) || driver.KindOf(err) != driver.Unsupported || !strings.Contains(err.Error(), dir) {
					t.Errorf("%s: %v", what, err)
				}
				for _, want := range append(tt.want, "use ext4") {
					if err != nil && !strings.Contains(err.Error(), want) {
						t.Errorf("%s: %v, want %q in it", what, err, want)
					}
				}
			}
			if left, err := os.ReadDir(filepath.Join(dir, ".blobdock", "tmp")); err != nil || len(left) != 0 {
				t.Errorf("left %v, %v", left, err)
			}
			file.Watch(b, nil)
			useKey(t, b, key)
		})
	}
}

// TestTwoTryOut has two processes try the file system out, and look for what a crash left,
// at the same time.
func TestTwoTryOut(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir, file.Options{NoSync: true})
	file.Watch(b, func(call, _ string) error {
		if call == "link" || call == "lock" {
			put(t, open(t, dir, file.Options{NoSync: true}), "other", "x")
		}
		return nil
	})
	put(t, b, "key", "x")
}

// TestUnableForNow checks that an error that says nothing about the file system is not
// taken for a lack.
func TestUnableForNow(t *testing.T) {
	for _, call := range []string{"link", "chtimes", "create"} {
		b := open(t, t.TempDir(), file.Options{NoSync: true})
		file.Watch(b, failing(map[string]error{call: syscall.EIO}))
		if _, err := b.Put(t.Context(), "key", body("x"), driver.WriteOptions{}); !errors.Is(err, driver.Unavailable) || errors.Is(err, file.ErrFileSystem) {
			t.Errorf("Put while %s fails: %v", call, err)
		}
		file.Watch(b, nil)
		put(t, b, "key", "x")
	}
}

// TestRoundedTimes checks that versions can be told apart where times are kept in steps
// of 100 ns, as on NTFS and SMB, even if the clock is set back and inodes are used again.
func TestRoundedTimes(t *testing.T) {
	b := open(t, t.TempDir(), file.Options{NoSync: true})
	file.Watch(b, rounding(100))
	file.SetBack(b)
	seen := make(map[string]bool)
	for range 500 {
		obj := put(t, b, "key", "same")
		if now, err := b.Stat(t.Context(), "key"); err != nil || now.ETag != obj.ETag || seen[obj.ETag] {
			t.Fatalf("Put tells %s, Stat %s, %v; seen: %t", obj.ETag, now.ETag, err, seen[obj.ETag])
		}
		seen[obj.ETag] = true
		if err := b.Delete(t.Context(), "key", driver.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
	}
}

// TestLackingElsewhere checks that another volume below the root is tried out as well.
func TestLackingElsewhere(t *testing.T) {
	dir := newRegistry(t)
	to := elsewhere(t)["other volume"](t)
	moveAway(t, dir, "v2/blobs", to)
	b := open(t, dir, file.Options{NoSync: true})
	file.Watch(b, func(call, path string) error {
		if call == "link" && strings.Contains(path, "/v2/blobs/") {
			return syscall.EPERM
		}
		return nil
	})
	put(t, b, "v2/repositories/x", "x")
	_, err := b.Put(t.Context(), "v2/blobs/x", body("x"), driver.WriteOptions{})
	if !errors.Is(err, file.ErrFileSystem) || !strings.Contains(err.Error(), filepath.Join(dir, "v2", "blobs")+" is on a file system without hard links") {
		t.Errorf("Put: %v", err)
	}
}
