package file_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/file"
)

// registryKeys are what a small registry has.
var registryKeys = []string{
	"v2/_uploads/1/p/x",
	"v2/blobs/sha256/aa/aa11/data",
	"v2/blobs/sha256/bb/bb22/data",
	"v2/repositories/app/_layers/sha256/aa11/link",
	"v2/repositories/app/_manifests/tags/v1-rc/current/link",
	"v2/repositories/app/_manifests/tags/v1/current/link",
	"v2/repositories/team/app/_manifests/tags/v1/current/link",
}

func newRegistry(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	b := open(t, dir, file.Options{NoSync: true})
	for _, key := range registryKeys {
		put(t, b, key, "content of "+key)
	}
	return dir
}

// inMemory is a folder of a file system that is kept in memory: another one than that of
// t.TempDir, and a faster one.
func inMemory(t *testing.T) (dir string, ok bool) {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "blobdock-test-") //nolint:usetesting // t.TempDir is on the disk
	if err != nil {
		return t.TempDir(), false
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir, true
}

// elsewhere are folders to move a part of a registry to: on the volume of t.TempDir, and
// on another.
func elsewhere(t *testing.T) map[string]func(t *testing.T) string {
	t.Helper()
	return map[string]func(*testing.T) string{
		"same volume": func(t *testing.T) string { return t.TempDir() },
		"other volume": func(t *testing.T) string {
			dir, ok := inMemory(t)
			if !ok {
				t.Skip("there is no second volume")
			}
			return dir
		},
	}
}

// moveAway moves what is at key out of the root to a folder and leaves a symlink.
func moveAway(t *testing.T, root, key, to string) {
	t.Helper()
	from, to := filepath.Join(root, key), filepath.Join(to, filepath.Base(key))
	info, err := os.Stat(from)
	if err == nil && info.IsDir() {
		err = os.CopyFS(to, os.DirFS(from))
	} else if err == nil {
		var p []byte
		if p, err = os.ReadFile(from); err == nil {
			err = os.WriteFile(to, p, 0o666)
		}
	}
	if err == nil {
		err = os.RemoveAll(from)
	}
	if err == nil {
		err = os.Symlink(to, from)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func isLink(t *testing.T, path string) bool {
	t.Helper()
	info, err := os.Lstat(path)
	return err == nil && info.Mode().Type() == os.ModeSymlink
}

// TestMovedAway moves a part of a registry elsewhere: nothing may change for a reader or
// a writer.
func TestMovedAway(t *testing.T) {
	for where, folder := range elsewhere(t) {
		for _, moved := range []string{
			"v2", "v2/blobs", "v2/blobs/sha256", "v2/blobs/sha256/aa/aa11", "v2/_uploads",
			"v2/repositories", "v2/repositories/app", "v2/repositories/team", "v2/repositories/app/_manifests/tags/v1",
		} {
			t.Run(where+"/"+moved, func(t *testing.T) {
				dir := newRegistry(t)
				moveAway(t, dir, moved, folder(t))
				b := open(t, dir, file.Options{NoSync: true})
				if diff := cmp.Diff(registryKeys, keys(t, b, driver.ListRequest{})); diff != "" {
					t.Errorf("List (-want +got):\n%s", diff)
				}
				for _, q := range []driver.ListRequest{
					{Delimiter: "/"}, {Prefix: "v2/", Delimiter: "/"}, {Prefix: "v2/repositories/", Delimiter: "/"}, {Prefix: "v2/blobs/sha256/"},
					{Prefix: "v2/repositories/app/_manifests/tags/", Delimiter: "/"}, {Prefix: "v2/repositories/app/_manifests/tags/", StartAfter: "v2/repositories/app/_manifests/tags/v1-rc"},
				} {
					if got, want := keys(t, b, q), listed(registryKeys, q); !slices.Equal(got, want) {
						t.Errorf("List(%+v): %q, want %q", q, got, want)
					}
				}
				for _, key := range registryKeys {
					useKey(t, b, key)
				}
				if !isLink(t, filepath.Join(dir, moved)) {
					t.Error("the symlink has gone")
				}
				if got := keys(t, b, driver.ListRequest{}); len(got) != 0 {
					t.Errorf("left %q", got)
				}
			})
		}
	}
}

// listed is what q lists of keys.
func listed(keys []string, q driver.ListRequest) (want []string) {
	for _, key := range keys {
		rest, ok := strings.CutPrefix(key, q.Prefix)
		if !ok || key <= q.StartAfter {
			continue
		}
		if dir, _, more := strings.Cut(rest, "/"); more && q.Delimiter != "" {
			key = q.Prefix + dir + "/"
		}
		if !slices.Contains(want, key) {
			want = append(want, key)
		}
	}
	slices.Sort(want)
	return want
}

// useKey does all there is with the object at key, and removes it.
func useKey(t *testing.T, b *file.Bucket, key string) {
	t.Helper()
	obj, err := b.Stat(t.Context(), key)
	if err != nil {
		t.Fatalf("Stat(%q): %v", key, err)
	}
	if got, want := content(t, b, key), "content of "+key; got != want {
		t.Errorf("%s holds %q, want %q", key, got, want)
	}
	if _, err := b.Put(t.Context(), key, body("x"), driver.WriteOptions{Cond: driver.Cond{IfAbsent: true}}); !errors.Is(err, driver.Exists) {
		t.Errorf("Put(%q) if absent: %v", key, err)
	}
	if obj, err = b.Put(t.Context(), key, body("new"), driver.WriteOptions{Cond: driver.Cond{IfMatch: obj.ETag}}); err != nil {
		t.Fatalf("Put(%q) if it is the same: %v", key, err)
	}
	f := b.Features()
	if _, err := f.Copy(t.Context(), driver.CopyRequest{Src: driver.Source{Key: key}, Dst: key + "-copy"}); err != nil {
		t.Errorf("Copy of %q: %v", key, err)
	}
	// From the volume of the key to that of the root, and back.
	moved, err := f.Concat(t.Context(), driver.ConcatRequest{Key: "moved", Sources: []driver.Object{obj}, DeleteSources: true})
	if err != nil {
		t.Fatalf("Concat of %q: %v", key, err)
	}
	if _, err := b.Stat(t.Context(), key); !errors.Is(err, driver.NotFound) {
		t.Errorf("Stat(%q) after it was moved: %v", key, err)
	}
	if _, err := f.Concat(t.Context(), driver.ConcatRequest{
		Key: key, Sources: []driver.Object{moved}, DeleteSources: true, Options: driver.WriteOptions{Cond: driver.Cond{IfAbsent: true}},
	}); err != nil {
		t.Fatalf("Concat to %q: %v", key, err)
	}
	for _, key := range []string{key, key + "-copy"} {
		if got := content(t, b, key); got != "new" {
			t.Errorf("%s holds %q", key, got)
		}
		if err := b.Delete(t.Context(), key, driver.DeleteOptions{}); err != nil {
			t.Errorf("Delete(%q): %v", key, err)
		}
	}
}

// TestMovedRoot reaches the root through a symlink.
func TestMovedRoot(t *testing.T) {
	root := filepath.Join(t.TempDir(), "root")
	if err := os.Symlink(newRegistry(t), root); err != nil {
		t.Fatal(err)
	}
	b := open(t, root, file.Options{NoSync: true})
	if got := keys(t, b, driver.ListRequest{}); !slices.Equal(got, registryKeys) {
		t.Errorf("List: %q", got)
	}
	for _, key := range registryKeys {
		useKey(t, b, key)
	}
}

// TestLinkedFile checks that a symlink to a file is an object, that a write replaces the
// symlink and a delete removes it, and that its target is left alone.
func TestLinkedFile(t *testing.T) {
	for where, folder := range elsewhere(t) {
		t.Run(where, func(t *testing.T) {
			dir, to := newRegistry(t), folder(t)
			const key = "v2/blobs/sha256/aa/aa11/data"
			moveAway(t, dir, key, to)
			b := open(t, dir, file.Options{NoSync: true})
			if got := keys(t, b, driver.ListRequest{}); !slices.Equal(got, registryKeys) {
				t.Errorf("List: %q", got)
			}
			useKey(t, b, key)
			if isLink(t, filepath.Join(dir, key)) {
				t.Error("Delete left the symlink")
			}
			moveAway(t, dir, "v2/blobs/sha256/bb/bb22/data", folder(t))
			obj, err := b.Stat(t.Context(), "v2/blobs/sha256/bb/bb22/data")
			if err != nil {
				t.Fatal(err)
			}
			// A symlink that is moved may lead nowhere.
			if _, err = b.Features().Concat(t.Context(), driver.ConcatRequest{Key: "moved", Sources: []driver.Object{obj}, DeleteSources: true}); err != nil || isLink(t, filepath.Join(dir, "moved")) {
				t.Errorf("Concat moved the symlink, %v", err)
			}
			put(t, b, "v2/blobs/sha256/bb/bb22/data", "x")
			moveAway(t, dir, "v2/blobs/sha256/bb/bb22/data", folder(t))
			if err := b.Delete(t.Context(), "v2/blobs/sha256/bb/bb22/data", driver.DeleteOptions{}); err != nil {
				t.Errorf("Delete: %v", err)
			}
			if got := keys(t, b, driver.ListRequest{Prefix: "v2/blobs/"}); len(got) != 0 {
				t.Errorf("left %q", got)
			}
			if got, err := os.ReadFile(filepath.Join(to, "data")); err != nil || string(got) != "content of "+key {
				t.Errorf("the target holds %q, %v", got, err)
			}
		})
	}
}

// TestBrokenLink checks that nothing behind a symlink whose target is missing is taken for
// absent, and that the error names the symlink and its target.
func TestBrokenLink(t *testing.T) {
	for _, broken := range []string{"v2", "v2/repositories", "v2/repositories/app/_manifests/tags/v1/current", "v2/repositories/app/_manifests/tags/v1/current/link"} {
		for _, target := range []string{"/nowhere/blobdock", "beside", "a/loop"} {
			t.Run(broken+" to "+target, func(t *testing.T) {
				dir := newRegistry(t)
				link := filepath.Join(dir, broken)
				if err := os.RemoveAll(link); err != nil {
					t.Fatal(err)
				}
				if target == "a/loop" {
					target = link // to itself
				}
				if err := os.Symlink(target, link); err != nil {
					t.Fatal(err)
				}
				b := open(t, dir, file.Options{NoSync: true})
				const key = "v2/repositories/app/_manifests/tags/v1/current/link"
				_, stat := b.Stat(t.Context(), key)
				_, read := b.Open(t.Context(), key, driver.Range{}, driver.ReadOptions{})
				_, flat := b.ListPage(t.Context(), driver.ListRequest{})
				_, folders := b.ListPage(t.Context(), driver.ListRequest{Prefix: "v2/repositories/app/_manifests/tags/", Delimiter: "/"})
				_, below := b.ListPage(t.Context(), driver.ListRequest{Prefix: "v2/repositories/app/_manifests/tags/v1/current/"})
				_, create := b.Put(t.Context(), key, body("x"), driver.WriteOptions{Cond: driver.Cond{IfAbsent: true}})
				for what, err := range map[string]error{
					"Stat": stat, "Open": read, "List": flat, "List of tags": folders, "List of the tag": below,
					"Put if absent": create, "Delete": b.Delete(t.Context(), key, driver.DeleteOptions{}),
				} {
					if what == "List of the tag" && broken == key || what == "List of tags" && len(broken) > len("v2/repositories") {
						continue // the broken symlink is an entry among others, or in one
					}
					if !errors.Is(err, driver.Unavailable) || !strings.Contains(err.Error(), link) || !strings.Contains(err.Error(), target) {
						t.Errorf("%s: %v", what, err)
					}
				}
				if broken != key {
					if _, err := b.Put(t.Context(), key, body("x"), driver.WriteOptions{}); !errors.Is(err, driver.Unavailable) {
						t.Errorf("Put: %v", err)
					}
				}
				if !isLink(t, link) {
					t.Error("the symlink has gone")
				}
				put(t, b, "other", "x") // which has nothing to do with it
			})
		}
	}
}

// TestBrokenRoot checks that a root whose volume is missing is not made anew.
func TestBrokenRoot(t *testing.T) {
	root := filepath.Join(t.TempDir(), "root")
	if err := os.Symlink("/nowhere/blobdock", root); err != nil {
		t.Fatal(err)
	}
	b := open(t, root, file.Options{})
	if _, err := b.Stat(t.Context(), "key"); !errors.Is(err, driver.Unavailable) || !strings.Contains(err.Error(), root) {
		t.Errorf("Stat: %v", err)
	}
	if _, err := b.Put(t.Context(), "key", body("x"), driver.WriteOptions{}); !errors.Is(err, driver.Unavailable) {
		t.Errorf("Put: %v", err)
	}
}

// TestLoop checks that symlinks that lead back up end a listing with an error that names
// one of them. What is not behind one can be used.
func TestLoop(t *testing.T) {
	for name, target := range map[string]string{"here": ".", "up": "..", "root": "../..", "above": "../../.."} {
		t.Run(name, func(t *testing.T) {
			dir := newRegistry(t)
			if err := os.Symlink(target, filepath.Join(dir, "v2", "repositories", "loop")); err != nil {
				t.Fatal(err)
			}
			b := open(t, dir, file.Options{NoSync: true})
			var err error
			for _, err = range driver.List(t.Context(), b, driver.ListRequest{Prefix: "v2/repositories/"}) {
				if err != nil {
					break
				}
			}
			if !errors.Is(err, driver.Invalid) || !strings.Contains(err.Error(), filepath.Join("v2", "repositories", "loop")) {
				t.Errorf("List: %v", err)
			}
			if got := keys(t, b, driver.ListRequest{Prefix: "v2/blobs/"}); len(got) != 2 {
				t.Errorf("List of blobs: %q", got)
			}
			put(t, b, "v2/repositories/other/x", "x")
		})
	}
}

// TestLinkedFolderIsNoKey checks that a write to the key that is a symlink to a folder
// does not replace the symlink, and hide what is behind it.
func TestLinkedFolderIsNoKey(t *testing.T) {
	for _, c := range []driver.Cond{{}, {IfAbsent: true}} {
		dir := newRegistry(t)
		moveAway(t, dir, "v2/repositories", t.TempDir())
		b := open(t, dir, file.Options{NoSync: true})
		if _, err := b.Put(t.Context(), "v2/repositories", body("x"), driver.WriteOptions{Cond: c}); !errors.Is(err, driver.Invalid) {
			t.Errorf("Put(%+v): %v", c, err)
		}
		if got := keys(t, b, driver.ListRequest{}); !slices.Equal(got, registryKeys) {
			t.Errorf("List: %q", got)
		}
	}
}
