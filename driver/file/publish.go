package file

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"syscall"

	"github.com/blobdock/blobdock/driver"
)

// maxTries bounds how often a write starts over because a delete removed its
// folder meanwhile.
const maxTries = 100

// temp creates a new file that no listing shows.
func (r *root) temp() (name string, f *os.File, err error) {
	name = tempDir + "/" + rand.Text()
	f, err = r.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if errors.Is(err, fs.ErrNotExist) { // somebody tidied up the root
		if err := r.MkdirAll(tempDir, 0o777); err != nil {
			return "", nil, err
		}
		f, err = r.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	}
	return name, f, err
}

func (r *root) drop(name string) { _ = r.Remove(name) }

// write makes a temporary file of what fill writes, safe on disk and with a
// modification time of its own. The caller drops it, published or not.
func (b *Bucket) write(r *root, fill func(w io.Writer) error) (name string, err error) {
	name, f, err := r.temp()
	if err != nil {
		return "", fmt.Errorf("temporary file: %w", err)
	}
	err = fill(f)
	if err == nil {
		at := b.tick()
		err = r.Chtimes(name, at, at)
	}
	if err == nil && !b.options.NoSync {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		r.drop(name)
		return "", err
	}
	return name, nil
}

// publish moves the file name to key when c holds. name is gone afterwards,
// unless there was an error.
func (b *Bucket) publish(ctx context.Context, r *root, name, key string, c driver.Cond) (driver.Object, error) {
	unlock, err := b.lockKeys(ctx, r, key)
	if err != nil {
		return driver.Object{}, err
	}
	info, made, err := r.place(name, key, c)
	unlock()
	if err != nil {
		return driver.Object{}, err
	}
	if err := b.syncFolders(r, key, made); err != nil {
		return driver.Object{}, &done{err}
	}
	return r.object(key, info), nil
}

// place is publish for a caller who has the key's lock. made tells that it
// created folders.
func (r *root) place(name, key string, c driver.Cond) (info fs.FileInfo, made bool, err error) {
	if err := r.holds(key, c); err != nil {
		return nil, false, err
	}
	if info, err = r.Lstat(name); err != nil {
		return nil, false, err
	}
	move := r.Rename
	if c.IfAbsent {
		move = r.moveLink
	}
	for range maxTries {
		err = move(name, key)
		switch {
		case err == nil:
			return info, made, nil
		case errors.Is(err, fs.ErrExist) || errors.Is(err, syscall.EISDIR):
			err = r.clear(key)
		case errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR):
			made = true
			err = r.makeParents(key)
		}
		if err != nil {
			return nil, made, err
		}
	}
	return nil, made, fmt.Errorf("its folder was removed %d times meanwhile: %w", maxTries, driver.Unavailable)
}

// clear makes room at key, where something is: a folder that is empty is in
// nobody's way.
func (r *root) clear(key string) error {
	info, err := r.Lstat(key)
	switch {
	case err != nil:
		return unlessAbsent(err)
	case !info.IsDir():
		return driver.Exists
	case r.Remove(key) != nil:
		return fmt.Errorf("there are keys below %q, which can't be a key itself: %w", key, driver.Invalid)
	}
	return nil
}

// makeParents makes the folders that key lies in. That others make them, or a
// delete takes one away meanwhile, is no error: the next try finds out.
func (r *root) makeParents(key string) error {
	err := r.MkdirAll(path.Dir(key), 0o777)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case errors.Is(err, syscall.ENOTDIR) || errors.Is(err, fs.ErrExist):
		return r.checkParents(key)
	}
	return err
}

// checkParents is Invalid when something in the way of key is no folder.
func (r *root) checkParents(key string) error {
	for dir := path.Dir(key); dir != "."; dir = path.Dir(dir) {
		if info, err := r.Stat(dir); err == nil && !info.IsDir() {
			return fmt.Errorf("%q, which %q would lie below, is a key itself: %w", dir, key, driver.Invalid)
		}
	}
	return nil
}

// moveLink is a rename that fails where there is a file already.
func (r *root) moveLink(from, to string) error {
	err := r.Link(from, to)
	if errors.Is(err, syscall.EPERM) || errors.Is(err, errors.ErrUnsupported) {
		return fmt.Errorf("the file system has no hard links, which IfAbsent needs: %w: %w", driver.Unsupported, err)
	}
	if err == nil {
		r.drop(from)
	}
	return err
}

// syncFolders makes the name of key survive a power cut, and those of its
// parents where these are new.
func (b *Bucket) syncFolders(r *root, key string, parents bool) error {
	if b.options.NoSync {
		return nil
	}
	for dir := path.Dir(key); ; dir = path.Dir(dir) {
		// A folder that is gone needs no syncing: somebody deleted the key since.
		if err := r.syncFolder(dir); err != nil && !isAbsent(err) {
			return err
		}
		if dir == "." || !parents {
			return nil
		}
	}
}

func (r *root) syncFolder(dir string) error {
	f, err := r.Open(dir)
	if err != nil {
		return err
	}
	err = f.Sync()
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
		return nil // some file systems sync no folders
	}
	return err
}

// prune removes the parents of key that are empty.
func (r *root) prune(key string) {
	for dir := path.Dir(key); dir != "."; dir = path.Dir(dir) {
		if r.Remove(dir) != nil {
			return
		}
	}
}
