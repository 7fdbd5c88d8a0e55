package blobstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/blobdock/blobdock/driver"
)

// reader reads one object from any offset. It asks the store only when it is
// read, and asks again from where it was when a connection breaks, for the same
// version of the object. ReadAt may be called by several at once; they share no
// connection.
type reader struct {
	ctx    context.Context // io.Reader has no other place for it
	bucket driver.Bucket
	object driver.Object
	gone   func() // called when the object is not what it was; may be nil
	// version is the ETag of what was read first, where object has none.
	version atomic.Pointer[string]
	closed  atomic.Bool
	content []byte // of the object, where that is known

	off    int64
	end    int64          // where Read ends, at the object's end or before it
	body   *driver.Reader // delivers from off; nil when nothing is open
	failed error          // what Read returned last that was not the end
}

// resumes bounds how many broken connections in a row, without a byte in
// between, one Read gets over.
const resumes = 3

func (s *Store) openObject(ctx context.Context, obj driver.Object) *reader {
	return &reader{ctx: ctx, bucket: s.bucket, object: obj, end: obj.Size}
}

var errReaderClosed = errors.New("reader is closed")

// Read implements io.Reader.
func (r *reader) Read(p []byte) (int, error) {
	n, err := r.read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		r.failed = err
	}
	return n, err
}

func (r *reader) read(p []byte) (int, error) {
	if r.closed.Load() {
		return 0, errReaderClosed
	}
	if len(p) == 0 {
		return 0, nil
	}
	var err error
	for range resumes {
		if r.off >= r.end {
			return 0, io.EOF
		}
		if err = r.ensure(); err != nil {
			return 0, err
		}
		var n int
		n, err = r.body.Read(p)
		r.off += int64(n)
		if err == nil || (errors.Is(err, io.EOF) && r.off >= r.end) {
			return n, err
		}
		r.drop()
		if n > 0 {
			return n, nil // the next Read resumes
		}
		if driver.IsContextError(err) || r.ctx.Err() != nil {
			break
		}
	}
	return 0, r.broken(r.off, err)
}

// broken is the error of a read at off that could not be gone on with. An error of
// the transport is the store's fault, and an early end is none of the object's.
func (r *reader) broken(off int64, err error) error {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if driver.KindOf(err) == driver.Unknown && !driver.IsContextError(err) {
		err = fmt.Errorf("%w: %w", driver.Unavailable, err)
	}
	return fmt.Errorf("object %q at byte %d: %w", r.object.Key, off, err)
}

func (r *reader) ensure() error {
	if r.body != nil {
		return nil
	}
	rest := driver.Range{Off: r.off}
	if r.end < r.object.Size {
		rest.Len = r.end - r.off
	}
	body, err := r.open(rest)
	r.body = body
	return err
}

func (r *reader) open(span driver.Range) (*driver.Reader, error) {
	if r.content != nil {
		span, err := span.Resolve(int64(len(r.content)))
		if err != nil {
			return nil, err
		}
		p := r.content[span.Off : span.Off+span.Len]
		return &driver.Reader{ReadCloser: io.NopCloser(bytes.NewReader(p)), Object: r.object, Range: span}, nil
	}
	etag := r.object.ETag
	if first := r.version.Load(); first != nil {
		etag = *first
	}
	body, err := r.bucket.Open(r.ctx, r.object.Key, span, driver.ReadOptions{IfMatch: etag})
	if err == nil && body.Object.Size != r.object.Size {
		_ = body.Close()
		err = fmt.Errorf("object %q has %d bytes, had %d: %w", r.object.Key, body.Object.Size, r.object.Size, driver.Mismatch)
	}
	if err != nil && r.gone != nil && !driver.IsContextError(err) && !driver.KindOf(err).Temporary() {
		r.gone()
	}
	if err != nil {
		return nil, err
	}
	r.version.CompareAndSwap(nil, &body.Object.ETag)
	return body, nil
}

func (r *reader) drop() {
	if r.body != nil {
		_ = r.body.Close()
		r.body = nil
	}
}

// Seek implements io.Seeker. It sends nothing to the store.
func (r *reader) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekStart:
	case io.SeekCurrent:
		offset += r.off
	case io.SeekEnd:
		offset += r.object.Size
	default:
		return 0, fmt.Errorf("seek: whence %d: %w", whence, driver.Invalid)
	}
	if offset < 0 {
		return 0, fmt.Errorf("seek to %d: %w", offset, driver.Invalid)
	}
	if offset != r.off {
		r.drop()
		r.off = offset
	}
	return offset, nil
}

// ReadAt implements io.ReaderAt by a request of its own for just these bytes.
func (r *reader) ReadAt(p []byte, off int64) (n int, err error) {
	switch {
	case r.closed.Load():
		return 0, errReaderClosed
	case off < 0:
		return 0, fmt.Errorf("read at %d: %w", off, driver.Invalid)
	case off >= r.object.Size:
		return 0, io.EOF
	}
	var end error
	if left := r.object.Size - off; int64(len(p)) > left {
		p, end = p[:left], io.EOF
	}
	for tries := 0; n < len(p); {
		var m int
		m, err = r.readOnce(p[n:], off+int64(n))
		n += m
		if tries++; m > 0 {
			tries = 0
		}
		if err == nil {
			continue
		}
		if tries == resumes || r.ctx.Err() != nil || driver.KindOf(err) != driver.Unknown && !driver.KindOf(err).Temporary() {
			return n, r.broken(off+int64(n), err)
		}
	}
	return n, end
}

func (r *reader) readOnce(p []byte, off int64) (int, error) {
	body, err := r.open(driver.Range{Off: off, Len: int64(len(p))})
	if err != nil {
		return 0, err
	}
	defer body.Close()
	return io.ReadFull(body, p)
}

func (r *reader) failure() error { return r.failed }

// Close implements io.Closer.
func (r *reader) Close() error {
	r.drop()
	r.closed.Store(true)
	return nil
}

func (s internals) OpenKey(ctx context.Context, key string, off int64) (io.ReadSeekCloser, error) {
	body, err := s.bucket.Open(ctx, key, driver.Range{Off: off}, driver.ReadOptions{})
	if err != nil {
		return nil, err
	}
	return &reader{ctx: ctx, bucket: s.bucket, object: body.Object, off: off, end: body.Object.Size, body: body}, nil
}
