package file_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/file"
)

// TestMounts mounts folders below the root: another file system, and a part of the same
// one, between which Linux renames nothing either. It does so in a process with mounts of
// its own.
func TestMounts(t *testing.T) {
	const inside = "BLOBDOCK_TEST_MOUNTS"
	if os.Getenv(inside) != "" {
		t.Run("tmpfs", func(t *testing.T) { testMount(t, "tmpfs", "tmpfs", 0) })
		t.Run("root", testMountedRoot)
		t.Run("bind", func(t *testing.T) { testMount(t, t.TempDir(), "", syscall.MS_BIND) })
		return
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestMounts$", "-test.v")
	cmd.Env = append(os.Environ(), inside+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	out, err := cmd.CombinedOutput()
	if err != nil && len(out) == 0 {
		t.Skipf("this system lets nobody mount: %v", err)
	}
	if err != nil {
		t.Errorf("%v:\n%s", err, out)
	}
}

func testMount(t *testing.T, source, kind string, flags uintptr) {
	for _, at := range []string{"v2/blobs", "v2/repositories/app"} {
		dir := t.TempDir()
		point := filepath.Join(dir, at)
		if err := os.MkdirAll(point, 0o777); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Mount(source, point, kind, flags, ""); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := syscall.Unmount(point, 0); err != nil {
				t.Error(err)
			}
		})
		b := open(t, dir, file.Options{NoSync: true})
		for _, key := range registryKeys {
			put(t, b, key, "content of "+key)
		}
		if got := keys(t, b, driver.ListRequest{}); !slices.Equal(got, registryKeys) {
			t.Errorf("List: %q", got)
		}
		for _, key := range registryKeys {
			useKey(t, b, key)
		}
		if got := keys(t, b, driver.ListRequest{}); len(got) != 0 {
			t.Errorf("left %q", got)
		}
		if left, err := os.ReadDir(filepath.Join(point, ".blobdock", "tmp")); err != nil || len(left) != 0 {
			t.Errorf("temporary files of the mount: %v, %v", left, err)
		}
	}
}

// testMountedRoot checks that a root is not unmounted while the bucket is open: what is
// below the mount point would be taken for the bucket.
func testMountedRoot(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, ""); err != nil {
		t.Fatal(err)
	}
	b, err := file.New(dir, file.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Stat(t.Context(), "key"); !errors.Is(err, driver.NotFound) {
		t.Errorf("Stat: %v", err)
	}
	if err := syscall.Unmount(dir, 0); !errors.Is(err, syscall.EBUSY) {
		t.Errorf("unmount under an open bucket: %v", err)
	}
	if err := b.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if err := syscall.Unmount(dir, 0); err != nil {
		t.Errorf("unmount: %v", err)
	}
}
