package file

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"syscall"

	"github.com/blobdock/blobdock/driver"
)

// maxTries bounds how often a write starts over because a delete removed its
// folder meanwhile.
const maxTries = 100

// write makes a temporary file of what fill writes, safe on disk and with a
// modification time of its own.
func (b *Bucket) write(v *volume, fill func(w io.Writer) error) (name string, err error) {
	f, err := b.temp(v)
	if err != nil {
		return "", err
	}
	name = f.Name()
	err = fill(f)
	if err == nil {
		err = b.disk.chtimes(name, b.tick(v))
	}
	if err == nil && !b.options.NoSync {
		err = b.disk.sync(f)
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		b.drop(name)
		return "", err
	}
	return name, nil
}

// publish makes what fill writes the object at key when c holds.
func (b *Bucket) publish(ctx context.Context, key string, c driver.Cond, fill func(w io.Writer) error) (driver.Object, error) {
	v, err := b.writable(key)
	if err != nil {
		return driver.Object{}, err
	}
	name, err := b.write(v, fill)
	if err != nil {
		return driver.Object{}, err
	}
	unlock, err := b.lockKeys(ctx, key)
	if err != nil {
		b.drop(name)
		return driver.Object{}, err
	}
	info, made, err := b.place(name, key, c)
	unlock()
	if err != nil {
		b.drop(name)
		return driver.Object{}, err
	}
	if err := b.syncFolders(path.Dir(key), made); err != nil {
		return driver.Object{}, &done{err}
	}
	return object(key, info), nil
}

// place moves the file name to key when c holds, for a caller who has the key's lock.
// made tells that it created folders; it leaves none behind when it fails.
func (b *Bucket) place(name, key string, c driver.Cond) (info fs.FileInfo, made bool, err error) {
	if err := b.holds(key, c); err != nil {
		return nil, false, err
	}
	if info, err = b.disk.lstat(name); err != nil {
		return nil, false, err
	}
	// A rename would replace a symlink to a folder, and the keys in it would be gone.
	if there, err := b.disk.stat(b.path(key)); err == nil && there.IsDir() {
		if err := b.clear(key); err != nil {
			return nil, false, err
		}
	}
	move := b.disk.rename
	if c.IfAbsent {
		move = b.moveLink
	}
	for range maxTries {
		err = move(name, b.path(key))
		switch {
		case err == nil:
			return info, made, nil
		case errors.Is(err, fs.ErrExist) || errors.Is(err, syscall.EISDIR):
			err = b.clear(key)
		case leadsNowhere(err):
			made = true
			err = b.makeParents(key)
		}
		if err != nil {
			break
		}
	}
	if err == nil {
		err = fmt.Errorf("its folder was removed %d times meanwhile: %w", maxTries, driver.Unavailable)
	}
	if made {
		b.prune(key)
	}
	return nil, false, err
}

// clear makes room at key, where something is: a folder that is empty is in
// nobody's way.
func (b *Bucket) clear(key string) error {
	info, err := b.disk.stat(b.path(key))
	switch {
	case err != nil:
		return unlessAbsent(err)
	case !info.IsDir():
		return driver.Exists
	case b.disk.rmdir(b.path(key)) != nil:
		return fmt.Errorf("%q is a folder of keys, or a symlink to a folder, and can't be a key itself: %w", key, driver.Invalid)
	}
	return nil
}

// makeParents makes the folders that key lies in. That others make them, or a
// delete takes one away meanwhile, is no error: the next try finds out.
func (b *Bucket) makeParents(key string) error {
	err := b.disk.mkdirAll(b.path(path.Dir(key)))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case leadsNowhere(err) || errors.Is(err, fs.ErrExist):
		return b.checkParents(key)
	}
	return err
}

// checkParents is Invalid when something in the way of key is no folder.
func (b *Bucket) checkParents(key string) error {
	if err := b.absent(key); !errors.Is(err, driver.NotFound) {
		return err
	}
	for dir := path.Dir(key); dir != "."; dir = path.Dir(dir) {
		if info, err := b.disk.stat(b.path(dir)); err == nil && !info.IsDir() {
			return fmt.Errorf("%q, which %q would lie below, is a key itself: %w", dir, key, driver.Invalid)
		}
	}
	return nil
}

// moveLink is a rename that fails where there is a file already.
func (b *Bucket) moveLink(from, to string) error {
	err := b.disk.link(from, to)
	if err == nil {
		b.drop(from)
	}
	return err
}

// syncFolders makes the names in a folder survive a power cut, and those of the folders
// that it lies in where these are new.
func (b *Bucket) syncFolders(folder string, parents bool) error {
	if b.options.NoSync {
		return nil
	}
	for ; ; folder = path.Dir(folder) {
		// A folder that is gone needs no syncing: somebody deleted the key since.
		if err := b.syncFolder(folder); err != nil && !isAbsent(err) {
			return err
		}
		if folder == "." || !parents {
			return nil
		}
	}
}

func (b *Bucket) syncFolder(folder string) error {
	f, err := b.disk.open(b.path(folder))
	if err != nil {
		return err
	}
	err = b.disk.sync(f)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
		return nil // some file systems sync no folders
	}
	return err
}

// prune removes the folders above key that are empty, and returns the lowest that stays.
func (b *Bucket) prune(key string) (folder string) {
	for folder = path.Dir(key); folder != "."; folder = path.Dir(folder) {
		if err := b.disk.rmdir(b.path(folder)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	return folder
}
