package file_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/file"
)

// asNobody runs f as the owner of the files in dir, which root's privileges don't help.
func asNobody(t *testing.T, dir string, f func(t *testing.T)) {
	t.Helper()
	const nobody = 65534
	if os.Getuid() != 0 {
		f(t)
		return
	}
	err := os.Chmod(filepath.Dir(dir), 0o777)
	err = errors.Join(err, filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		return errors.Join(err, os.Lchown(path, nobody, -1))
	}))
	if err != nil {
		t.Fatal(err)
	}
	t.Run("as nobody", func(t *testing.T) {
		// The thread ends with the test: it is never unlocked.
		runtime.LockOSThread()
		if err := syscall.Setfsuid(nobody); err != nil {
			t.Fatal(err)
		}
		f(t)
	})
}

// lock makes a folder below dir, with a file in it, that nobody may read.
func lock(t *testing.T, dir, name string) {
	t.Helper()
	path := filepath.Join(dir, name)
	err := errors.Join(os.MkdirAll(path, 0o777), os.WriteFile(filepath.Join(path, "data"), []byte("x"), 0o666), os.Chmod(path, 0))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(path, 0o777) })
}

// TestForeignFolders checks that listings leave out folders that can't be read and whose
// name no registry writes, wherever they are.
func TestForeignFolders(t *testing.T) {
	dir := newRegistry(t)
	for _, name := range []string{"lost+found", ".snapshots", "v2/System Volume Information", "v2/blobs/lost+found", "v2/.Trash-0"} {
		lock(t, dir, name)
	}
	if err := os.Symlink("/nowhere", filepath.Join(dir, "v2", ".#link")); err != nil {
		t.Fatal(err)
	}
	asNobody(t, dir, func(t *testing.T) {
		b := open(t, dir, file.Options{NoSync: true})
		for _, q := range []driver.ListRequest{{}, {Prefix: "v2/"}, {Delimiter: "/"}, {Prefix: "v2/", Delimiter: "/"}, {Prefix: "v2/blobs/", Delimiter: "/"}} {
			if got, want := keys(t, b, q), listed(registryKeys, q); !slices.Equal(got, want) {
				t.Errorf("List(%+v): %q, want %q", q, got, want)
			}
		}
		// One that is asked for by its name is not left out.
		if _, err := b.ListPage(t.Context(), driver.ListRequest{Prefix: "lost+found/"}); !errors.Is(err, driver.Denied) {
			t.Errorf("List of lost+found: %v", err)
		}
		if _, err := b.Stat(t.Context(), "lost+found/data"); !errors.Is(err, driver.Denied) {
			t.Errorf("Stat: %v", err)
		}
	})
}

// TestUnreadableFolder checks that a folder that may hold objects and can't be read is an
// error that names it, in every listing that would have to look into it: garbage collection
// would take blobs that are used from there for garbage.
func TestUnreadableFolder(t *testing.T) {
	for _, name := range []string{
		"backup", "v2/blobs/sha256/cc", "v2/repositories/closed", "v2/repositories/team/app", "v2/repositories/app/_manifests/tags/v2",
		"v2/repositories/app/_layers",
	} {
		t.Run(name, func(t *testing.T) {
			dir := newRegistry(t)
			lock(t, dir, name)
			asNobody(t, dir, func(t *testing.T) {
				b := open(t, dir, file.Options{NoSync: true})
				parent := strings.TrimPrefix(filepath.Dir(name)+"/", "./")
				for _, q := range []driver.ListRequest{{}, {Prefix: parent}, {Prefix: parent, Delimiter: "/"}} {
					var err error
					for _, err = range driver.List(t.Context(), b, q) {
						if err != nil {
							break
						}
					}
					if !errors.Is(err, driver.Denied) || !strings.Contains(err.Error(), filepath.Join(dir, name)) {
						t.Errorf("List(%+v): %v", q, err)
					}
				}
			})
		})
	}
}
