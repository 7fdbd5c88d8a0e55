package file

import (
	"io/fs"
	"os"
	"time"
)

// disk is the file system as the driver sees it. Paths are absolute, and symlinks are
// followed everywhere but in lstat, rename, link, remove and rmdir.
type disk struct {
	// before is nil but in tests: it is told of each call, and its error is the call's.
	before func(call, path string) error
}

func (d disk) call(call, path string) error {
	if d.before == nil {
		return nil
	}
	return d.before(call, path)
}

func (d disk) stat(path string) (fs.FileInfo, error) {
	if err := d.call("stat", path); err != nil {
		return nil, err
	}
	return os.Stat(path)
}

func (d disk) lstat(path string) (fs.FileInfo, error) {
	if err := d.call("lstat", path); err != nil {
		return nil, err
	}
	return os.Lstat(path)
}

// isFile reports whether there is a file at a path below an open folder: a path that is
// short is found fast.
func (d disk) isFile(folder *os.File, name string) bool {
	return d.call("stat", name) == nil && isFile(folder, name)
}

// open opens a file for reading.
func (d disk) open(path string) (*os.File, error) {
	if err := d.call("open", path); err != nil {
		return nil, err
	}
	return os.Open(path)
}

// openFolder opens a folder whose entries are to be read.
func (d disk) openFolder(path string) (*os.File, error) {
	if err := d.call("openFolder", path); err != nil {
		return nil, err
	}
	return os.Open(path)
}

// create makes a new file.
func (d disk) create(path string) (*os.File, error) {
	if err := d.call("create", path); err != nil {
		return nil, err
	}
	return os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
}

// openLock opens a file to lock, and makes it where it is missing.
func (d disk) openLock(path string) (*os.File, error) {
	if err := d.call("openLock", path); err != nil {
		return nil, err
	}
	return os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
}

// lock reports whether f is locked now; it does not wait for others.
func (d disk) lock(f *os.File) (bool, error) {
	if err := d.call("lock", f.Name()); err != nil {
		return false, err
	}
	return tryLock(f)
}

func (d disk) sync(f *os.File) error {
	if err := d.call("sync", f.Name()); err != nil {
		return err
	}
	return f.Sync()
}

func (d disk) mkdirAll(path string) error {
	if err := d.call("mkdirAll", path); err != nil {
		return err
	}
	return os.MkdirAll(path, 0o777)
}

func (d disk) chtimes(path string, at time.Time) error {
	if err := d.call("chtimes", path); err != nil {
		return err
	}
	return os.Chtimes(path, at, at)
}

func (d disk) link(from, to string) error {
	if err := d.call("link", to); err != nil {
		return err
	}
	return os.Link(from, to)
}

func (d disk) rename(from, to string) error {
	if err := d.call("rename", to); err != nil {
		return err
	}
	return os.Rename(from, to)
}

// remove removes a file, or a symlink and not what it points to.
func (d disk) remove(path string) error {
	if err := d.call("remove", path); err != nil {
		return err
	}
	return os.Remove(path)
}

// rmdir removes an empty folder and nothing else, where os.Remove would remove a
// symlink or a file that stands there by now.
func (d disk) rmdir(path string) error {
	if err := d.call("rmdir", path); err != nil {
		return err
	}
	return rmdir(path)
}

func (d disk) removeAll(path string) error {
	if err := d.call("removeAll", path); err != nil {
		return err
	}
	return os.RemoveAll(path)
}
