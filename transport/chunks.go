package transport

import (
	"context"
	"errors"
	"io"
	"math"
	"strconv"
	"sync"

	"go.podman.io/image/v5/types"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
)

// Chunk is a part of a blob. containers/image has the same type, which it does not export.
type Chunk struct {
	Offset uint64 // in bytes
	Length uint64 // in bytes; math.MaxUint64 is to the end of the blob
}

// BadPartialRequestError is returned by [Source.GetBlobAt] for chunks that can't be: a caller
// should ask for the whole blob. containers/image has the same type, which it does not export.
type BadPartialRequestError struct {
	Status string
	cause  error
}

func (e BadPartialRequestError) Error() string { return e.Status }

// Unwrap is of the kind driver.Invalid or driver.OutOfRange.
func (e BadPartialRequestError) Unwrap() error { return e.cause }

// GetBlobAt returns a channel of readers of the chunks of a blob, in order, and one that may get
// a single error; both are closed at the end. Chunks must be sorted and must not overlap, and only
// the last one may go to the blob's end; else the error is a BadPartialRequestError. A
// reader must be read to its end, or closed, before the next one comes. They end with ctx, which a
// caller must cancel that does not take all of them.
//
// Chunks that lie close together are fetched by one request, long ones by several, and up
// to four requests run at the same time, of 8 MiB at most.
func (s *Source) GetBlobAt(ctx context.Context, info types.BlobInfo, chunks []Chunk) (chan io.ReadCloser, chan error, error) {
	b, err := s.lookup(ctx, info)
	if err != nil {
		return nil, nil, err
	}
	ranges, err := rangesOf(chunks)
	if err != nil {
		return nil, nil, err
	}
	parts, err := b.Chunks(ctx, ranges)
	if err != nil {
		return nil, nil, BadPartialRequestError{err.Error(), err}
	}
	readers, errs := make(chan io.ReadCloser), make(chan error, 1)
	go func() {
		defer close(readers)
		defer close(errs)
		for part, err := range parts {
			if err == nil {
				err = deliver(ctx, part, readers)
			}
			if err != nil {
				errs <- err
				return
			}
		}
	}()
	return readers, errs, nil
}

func rangesOf(chunks []Chunk) ([]driver.Range, error) {
	ranges := make([]driver.Range, len(chunks))
	for i, c := range chunks {
		length := c.Length
		switch length {
		case math.MaxUint64:
			length = 0 // which driver.Range has for it
		case 0:
			return nil, badChunk(i, "has no bytes")
		}
		if c.Offset > math.MaxInt64 || length > math.MaxInt64 {
			return nil, badChunk(i, "lies beyond what any blob has")
		}
		ranges[i] = driver.Range{Off: int64(c.Offset), Len: int64(length)}
	}
	return ranges, nil
}

func badChunk(i int, what string) error {
	return BadPartialRequestError{"chunk " + strconv.Itoa(i) + " " + what, driver.Invalid}
}

// deliver sends a part, and waits until it has been read.
func deliver(ctx context.Context, part blobstore.Chunk, readers chan<- io.ReadCloser) error {
	r := &chunkReader{part: part, done: make(chan struct{})}
	defer r.Close() // nobody reads part while the next one comes
	select {
	case readers <- r:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-r.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// chunkReader reads a part until it ends or is closed.
type chunkReader struct {
	mu     sync.Mutex
	part   io.Reader
	done   chan struct{} // closed at the end
	closed bool
	failed error // what Read returned last
}

var errChunkClosed = errors.New("chunk is closed")

func (r *chunkReader) Read(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return 0, r.failed
	}
	n, err := r.part.Read(p)
	if err != nil {
		r.end(err)
	}
	return n, err
}

func (r *chunkReader) end(err error) {
	if !r.closed {
		r.closed, r.failed = true, err
		close(r.done)
	}
}

// Close implements io.Closer. What was not read is skipped.
func (r *chunkReader) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.end(errChunkClosed)
	return nil
}
