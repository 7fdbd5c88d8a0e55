package file

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"

	"github.com/blobdock/blobdock/driver"
)

// absent is the error for a key that no file was found at: NotFound. It is another one
// where a symlink on the way to the key leads nowhere: nobody knows what lies behind it.
func (b *Bucket) absent(key string) error {
	for name := key; name != "."; name = path.Dir(name) {
		info, err := b.disk.lstat(b.path(name))
		switch {
		case leadsNowhere(err):
			continue
		case err != nil:
			return err
		case info.Mode().Type() != fs.ModeSymlink:
			return driver.NotFound
		}
		if _, err := b.disk.stat(b.path(name)); leadsNowhere(err) {
			return cmp.Or(b.brokenLink(b.path(name)), error(driver.NotFound))
		}
		return driver.NotFound
	}
	return driver.NotFound
}

// leadsNowhere reports whether err is that of following a broken symlink: its target is
// missing, or symlinks lead in a circle.
func leadsNowhere(err error) bool { return isAbsent(err) || errors.Is(err, syscall.ELOOP) }

// brokenLink is Unavailable, as the target may be a volume that is not mounted yet. It is
// nil where the symlink has gone meanwhile.
func (b *Bucket) brokenLink(link string) error {
	target, err := os.Readlink(link)
	if err != nil {
		return unlessAbsent(err) // it is gone by now
	}
	return fmt.Errorf("symlink %s points to %s, which is missing: mount or restore the target, or remove the symlink: %w",
		link, target, driver.Unavailable)
}

// checkLoop is Invalid where the folder that a symlink leads to is one that the symlink
// lies in. prefix is the symlink's key and "/".
func (b *Bucket) checkLoop(prefix string) error {
	link := strings.TrimSuffix(prefix, "/")
	target, err := b.disk.stat(b.path(link))
	if err != nil {
		return err
	}
	for name := link; name != "."; {
		name = path.Dir(name)
		above, err := b.disk.stat(b.path(name))
		if err != nil {
			return err
		}
		if os.SameFile(above, target) {
			return fmt.Errorf("symlink %s leads back to the folder %s, which it lies in: remove the symlink: %w",
				b.path(link), b.path(name), driver.Invalid)
		}
	}
	return nil
}

// foreign reports whether no registry writes a file or folder of that name: lost+found,
// .snapshots, "System Volume Information". Repositories, tags and digests are made of
// letters, digits, "_", "-" and ".", and don't begin with a dot.
func foreign(name string) bool {
	const written = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-."
	return strings.HasPrefix(name, ".") || strings.Trim(name, written) != ""
}

// mayHide reports whether a listing leaves out what it finds at a name of that error:
// folders of others that this process may not read, and broken symlinks of others.
func mayHide(name string, err error) bool {
	return foreign(name) && (errors.Is(err, fs.ErrPermission) || leadsNowhere(err))
}
