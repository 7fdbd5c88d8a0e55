package blobstore

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/blobdock/blobdock/driver"
)

// reader reads one object from any offset. It asks the store only when it is
// read, and asks again from where it was when a connection breaks, for the same
// version of the object.
type reader struct {
	ctx    context.Context // io.Reader has no other place for it
	bucket driver.Bucket
	object driver.Object
	off    int64
	body   *driver.Reader // delivers from off; nil when nothing is open
	closed bool
	gone   func() // called when the object is not what it was; may be nil
}

// resumes bounds how many broken connections in a row, without a byte in
// between, one Read gets over.
const resumes = 3

func (s *Store) openObject(ctx context.Context, obj driver.Object) *reader {
	return &reader{ctx: ctx, bucket: s.bucket, object: obj}
}

var errReaderClosed = errors.New("reader is closed")

// Read implements io.Reader.
func (r *reader) Read(p []byte) (int, error) {
	if r.closed {
		return 0, errReaderClosed
	}
	if len(p) == 0 {
		return 0, nil
	}
	var err error
	for range resumes {
		if r.off >= r.object.Size {
			return 0, io.EOF
		}
		if err = r.ensure(); err != nil {
			return 0, err
		}
		var n int
		n, err = r.body.Read(p)
		r.off += int64(n)
		if err == nil || (errors.Is(err, io.EOF) && r.off >= r.object.Size) {
			return n, err
		}
		r.drop()
		if n > 0 {
			return n, nil // the next Read resumes
		}
		if driver.Ended(err) || r.ctx.Err() != nil {
			break
		}
	}
	return 0, fmt.Errorf("object %q at byte %d: %w", r.object.Key, r.off, noEOF(err))
}

// noEOF keeps an early end from being taken for the end.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

func (r *reader) ensure() error {
	if r.body != nil {
		return nil
	}
	body, err := r.open(driver.Range{Off: r.off})
	if err != nil {
		return err
	}
	// From here on it is this version.
	r.body, r.object.ETag = body, body.Object.ETag
	return nil
}

func (r *reader) open(span driver.Range) (*driver.Reader, error) {
	body, err := r.bucket.Open(r.ctx, r.object.Key, span, driver.ReadOptions{IfMatch: r.object.ETag})
	if err == nil && body.Object.Size != r.object.Size {
		_ = body.Close()
		err = fmt.Errorf("object %q has %d bytes, had %d: %w", r.object.Key, body.Object.Size, r.object.Size, driver.Mismatch)
	}
	if err != nil && r.gone != nil && !driver.Ended(err) && !driver.KindOf(err).Temporary() {
		r.gone()
	}
	return body, err
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

// Close implements io.Closer.
func (r *reader) Close() error {
	r.drop()
	r.closed = true
	return nil
}

// OpenKey reads the object at key from the byte off on. Like a blob's reader it
// gets over broken connections. OutOfRange when off lies beyond the end.
func (s *Store) OpenKey(ctx context.Context, key string, off int64) (io.ReadSeekCloser, error) {
	body, err := s.bucket.Open(ctx, key, driver.Range{Off: off}, driver.ReadOptions{})
	if err != nil {
		return nil, err
	}
	return &reader{ctx: ctx, bucket: s.bucket, object: body.Object, off: off, body: body}, nil
}
