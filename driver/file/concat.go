package file

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"path"

	"github.com/blobdock/blobdock/driver"
)

// concat appends the sources to a temporary file inside the kernel, which shares
// their blocks where the file system can, and publishes the file. A single source
// that is to be deleted is moved instead.
func (b *Bucket) concat(ctx context.Context, q driver.ConcatRequest) (driver.Object, error) {
	obj, err := b.joinTo(ctx, q)
	if err != nil {
		return driver.Object{}, fail(driver.OpConcat, q.Key, err)
	}
	return obj, nil
}

func (b *Bucket) joinTo(ctx context.Context, q driver.ConcatRequest) (driver.Object, error) {
	if err := cmp.Or(b.begin(ctx, q.Key), q.Check(limits)); err != nil {
		return driver.Object{}, err
	}
	for _, s := range q.Sources {
		if err := checkKey(s.Key); err != nil {
			return driver.Object{}, fmt.Errorf("source: %w", err)
		}
	}
	if err := b.holds(q.Key, q.Options.Cond); err != nil {
		return driver.Object{}, err
	}
	if len(q.Sources) == 1 && q.DeleteSources {
		can, err := b.canMove(q.Sources[0].Key, q.Key)
		if err != nil {
			return driver.Object{}, err
		}
		if can {
			return b.move(ctx, q.Sources[0], q.Key, q.Options.Cond)
		}
	}
	versions := make([]string, len(q.Sources))
	obj, err := b.publish(ctx, q.Key, q.Options.Cond, func(w io.Writer) (err error) {
		for i, s := range q.Sources {
			if versions[i], err = b.appendSource(ctx, w, s); err != nil {
				return fmt.Errorf("source %q: %w", s.Key, err)
			}
		}
		return nil
	})
	if err != nil {
		return driver.Object{}, err
	}
	if q.DeleteSources {
		for i, s := range q.Sources {
			if s.Key != q.Key {
				// The object is there; a source that stays is allowed to.
				_ = b.remove(ctx, s.Key, versions[i])
			}
		}
	}
	return obj, nil
}

// canMove reports whether a rename brings src to dst. It can't from volume to volume, and
// would take a symlink for the file.
func (b *Bucket) canMove(src, dst string) (bool, error) {
	from, err := b.writable(src)
	if err != nil {
		return false, err
	}
	to, err := b.writable(dst)
	if err != nil || src == dst || from != to {
		return false, err
	}
	info, err := b.disk.lstat(b.path(src))
	return err == nil && info.Mode().IsRegular(), nil // join finds out what is wrong
}

// move renames the file of src.
func (b *Bucket) move(ctx context.Context, src driver.Object, dst string, c driver.Cond) (driver.Object, error) {
	unlock, err := b.lockKeys(ctx, src.Key, dst)
	if err != nil {
		return driver.Object{}, err
	}
	defer unlock()
	info, err := b.find(src.Key)
	if err == nil {
		err = pinned(object(src.Key, info), src)
	}
	if err != nil {
		return driver.Object{}, fmt.Errorf("source %q: %w", src.Key, err)
	}
	info, made, err := b.place(b.path(src.Key), dst, c)
	if err != nil {
		return driver.Object{}, err
	}
	// A move by link that was cut short leaves two names of one file, and rename
	// between such two does nothing.
	b.drop(b.path(src.Key))
	left := b.prune(src.Key)
	if err := cmp.Or(b.syncFolders(path.Dir(dst), made), b.syncFolders(left, false)); err != nil {
		return driver.Object{}, &done{err}
	}
	return object(dst, info), nil
}

// appendSource writes the content of s to w, and returns its version.
func (b *Bucket) appendSource(ctx context.Context, w io.Writer, s driver.Object) (version string, err error) {
	f, info, err := b.openVersion(s.Key, s.ETag)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	if err := pinned(object(s.Key, info), s); err != nil {
		return "", err
	}
	return etag(info), copyRange(ctx, w, f, info.Size())
}

// pinned is a Mismatch unless have is what want describes.
func pinned(have, want driver.Object) error {
	switch {
	case want.Size != have.Size:
		return fmt.Errorf("want %d bytes, have %d: %w", want.Size, have.Size, driver.Mismatch)
	case want.ETag != "" && want.ETag != have.ETag:
		return fmt.Errorf("want ETag %s, have %s: %w", want.ETag, have.ETag, driver.Mismatch)
	case want.Version != "" && want.Version != have.Version:
		return fmt.Errorf("want version %s, have %s: %w", want.Version, have.Version, driver.Mismatch)
	}
	return nil
}
