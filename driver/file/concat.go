package file

import (
	"cmp"
	"context"
	"fmt"
	"io"

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
	r, err := b.begin(ctx, q.Key)
	if err = cmp.Or(err, q.Check(limits)); err != nil {
		return driver.Object{}, err
	}
	for _, s := range q.Sources {
		if err := checkKey(s.Key); err != nil {
			return driver.Object{}, fmt.Errorf("source: %w", err)
		}
	}
	if err := r.holds(q.Key, q.Options.Cond); err != nil {
		return driver.Object{}, err
	}
	if len(q.Sources) == 1 && q.DeleteSources && q.Sources[0].Key != q.Key {
		return b.move(ctx, r, q.Sources[0], q.Key, q.Options.Cond)
	}
	name, versions, err := b.join(ctx, r, q)
	if err != nil {
		return driver.Object{}, err
	}
	obj, err := b.publish(ctx, r, name, q.Key, q.Options.Cond)
	if err != nil {
		r.drop(name)
		return driver.Object{}, err
	}
	if q.DeleteSources && !r.coarse {
		for i, s := range q.Sources {
			if s.Key != q.Key {
				// The object is there; a source that stays is allowed to.
				_ = b.remove(ctx, r, s.Key, versions[i])
			}
		}
	}
	return obj, nil
}

// move renames the file of src.
func (b *Bucket) move(ctx context.Context, r *root, src driver.Object, dst string, c driver.Cond) (driver.Object, error) {
	unlock, err := b.lockKeys(ctx, r, src.Key, dst)
	if err != nil {
		return driver.Object{}, err
	}
	defer unlock()
	info, err := r.find(src.Key)
	if err == nil {
		err = pinned(r.object(src.Key, info), src)
	}
	if err != nil {
		return driver.Object{}, fmt.Errorf("source %q: %w", src.Key, err)
	}
	info, made, err := r.place(src.Key, dst, c)
	if err != nil {
		return driver.Object{}, err
	}
	// A move by link that was cut short leaves two names of one file, and rename
	// between such two does nothing.
	r.drop(src.Key)
	if err := cmp.Or(b.syncFolders(r, dst, made), b.syncFolders(r, src.Key, false)); err != nil {
		return driver.Object{}, &done{err}
	}
	r.prune(src.Key)
	return r.object(dst, info), nil
}

// join makes a temporary file of the sources, and returns the version of each.
func (b *Bucket) join(ctx context.Context, r *root, q driver.ConcatRequest) (name string, versions []string, err error) {
	versions = make([]string, len(q.Sources))
	name, err = b.write(r, func(w io.Writer) error {
		for i, s := range q.Sources {
			if versions[i], err = r.appendSource(ctx, w, s); err != nil {
				return fmt.Errorf("source %q: %w", s.Key, err)
			}
		}
		return nil
	})
	return name, versions, err
}

func (r *root) appendSource(ctx context.Context, w io.Writer, s driver.Object) (version string, err error) {
	f, info, err := r.openVersion(s.Key, s.ETag)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	if err := pinned(r.object(s.Key, info), s); err != nil {
		return "", err
	}
	return etag(info), copyRange(ctx, w, f, 0, info.Size())
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
