package check

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/driver"
)

// resumes bounds how many broken connections in a row, without a byte in between,
// one read gets over.
const resumes = 3

// buffers are what content moves through.
var buffers = sync.Pool{New: func() any { return new([512 << 10]byte) }}

// read writes the object at key to w, going on where a connection broke, and
// returns what was read.
func (r *run) read(ctx context.Context, key string, w io.Writer) (driver.Object, error) {
	if err := r.take(ctx); err != nil {
		return driver.Object{}, err
	}
	defer r.give()
	buf := buffers.Get().(*[512 << 10]byte)
	defer buffers.Put(buf)
	var (
		off  int64
		etag string
	)
	for stuck := 0; ; {
		rd, err := r.bucket.Open(ctx, key, driver.Range{Off: off}, driver.ReadOptions{IfMatch: etag})
		if err != nil {
			return driver.Object{}, err
		}
		n, err := io.CopyBuffer(w, rd, buf[:])
		_ = rd.Close()
		if stuck++; n > 0 {
			stuck = 0
		}
		if err == nil || errors.Is(err, errTooLong) || ctx.Err() != nil || stuck == resumes {
			return rd.Object, err
		}
		off, etag = off+n, rd.Object.ETag
	}
}

// content is why the blob d can't be had, having read it to w as well.
func (r *run) content(ctx context.Context, d digest.Digest, w io.Writer) (string, error) {
	h := d.Algorithm().Digester()
	obj, err := r.read(ctx, r.layout.Blob(d), io.MultiWriter(h.Hash(), w))
	switch {
	case errors.Is(err, driver.NotFound):
		return isMissing, nil
	case errors.Is(err, driver.Unsupported):
		r.blobs.mark(d, archived)
		return isArchived, nil
	case err != nil:
		return "", fmt.Errorf("blob %s: %w", d, err)
	case h.Digest() != d:
		r.blobs.mark(d, corrupt)
		return isCorrupt, nil
	}
	r.blobs.mark(d, verified)
	return "", r.encoded(ctx, d, obj)
}

// errTooLong ends a read of what is longer than it may be.
var errTooLong = errors.New("too long")

// bounded keeps what is written to it, up to a number of bytes.
type bounded struct {
	p   []byte
	max int
}

func (b *bounded) Write(p []byte) (int, error) {
	if len(b.p)+len(p) > b.max {
		return 0, errTooLong
	}
	b.p = append(b.p, p...)
	return len(p), nil
}
