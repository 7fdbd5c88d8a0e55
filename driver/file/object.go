package file

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/internal/body"
)

// find describes the file at key; whatever is no plain file is absent.
func (b *Bucket) find(key string) (fs.FileInfo, error) {
	info, err := b.disk.stat(b.path(key))
	switch {
	case leadsNowhere(err):
		return nil, b.absent(key)
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, driver.NotFound
	}
	return info, nil
}

func isAbsent(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) // as driver.NotFound is
}

// Stat describes the object at key.
func (b *Bucket) Stat(ctx context.Context, key string) (driver.Object, error) {
	if err := b.begin(ctx, key); err != nil {
		return driver.Object{}, fail(driver.OpStat, key, err)
	}
	info, err := b.find(key)
	if err != nil {
		return driver.Object{}, fail(driver.OpStat, key, err)
	}
	return object(key, info), nil
}

// Open reads one version of the object, whatever is written meanwhile.
func (b *Bucket) Open(ctx context.Context, key string, rng driver.Range, o driver.ReadOptions) (*driver.Reader, error) {
	rd, err := b.read(ctx, key, rng, o)
	if err != nil {
		return nil, fail(driver.OpOpen, key, err)
	}
	return rd, nil
}

func (b *Bucket) read(ctx context.Context, key string, rng driver.Range, o driver.ReadOptions) (*driver.Reader, error) {
	if err := b.begin(ctx, key); err != nil {
		return nil, err
	}
	f, info, err := b.openVersion(key, o.IfMatch)
	if err != nil {
		return nil, err
	}
	if rng, err = rng.Resolve(info.Size()); err != nil {
		_ = f.Close()
		return nil, err
	}
	rd := &reader{ctx: ctx, key: key, f: f, at: rng.Off, left: rng.Len}
	return &driver.Reader{ReadCloser: rd, Object: object(key, info), Range: rng}, nil
}

// openVersion opens the file at key, which must have the ETag want.
func (b *Bucket) openVersion(key, want string) (*os.File, fs.FileInfo, error) {
	// Opening anything else, a pipe say, could block.
	if _, err := b.find(key); err != nil {
		return nil, nil, err
	}
	f, err := b.disk.open(b.path(key))
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err == nil {
		err = matches(info, want)
	}
	if err != nil {
		_ = f.Close()
		return nil, nil, err
	}
	return f, info, nil
}

// reader ends with the context of the Open that made it.
type reader struct {
	ctx      context.Context
	key      string
	f        *os.File
	at, left int64
}

func (r *reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, fail(driver.OpOpen, r.key, err)
	}
	if r.left == 0 {
		return 0, io.EOF
	}
	n, err := r.f.ReadAt(p[:min(int64(len(p)), r.left)], r.at)
	r.at += int64(n)
	r.left -= int64(n)
	switch {
	case n > 0 || err == nil:
		return n, nil
	case errors.Is(err, io.EOF):
		err = fmt.Errorf("the file was cut off at %d: %w", r.at, io.ErrUnexpectedEOF)
	}
	return 0, fail(driver.OpOpen, r.key, err)
}

func (r *reader) Close() error { return r.f.Close() }

// Put stores body at key.
func (b *Bucket) Put(ctx context.Context, key string, content *io.SectionReader, o driver.WriteOptions) (driver.Object, error) {
	obj, err := b.put(ctx, key, content, o)
	if err != nil {
		return driver.Object{}, fail(driver.OpPut, key, err)
	}
	return obj, nil
}

func (b *Bucket) put(ctx context.Context, key string, content *io.SectionReader, o driver.WriteOptions) (driver.Object, error) {
	if err := cmp.Or(b.begin(ctx, key), o.Check()); err != nil {
		return driver.Object{}, err
	}
	if content.Size() > maxFile {
		return driver.Object{}, fmt.Errorf("%d bytes, at most %d fit in a file: %w", content.Size(), int64(maxFile), driver.Invalid)
	}
	// What is known to fail need not be written first.
	if err := b.holds(key, o.Cond); err != nil {
		return driver.Object{}, err
	}
	return b.publish(ctx, key, o.Cond, func(w io.Writer) error { return body.Copy(ctx, w, content, o.SHA256) })
}
