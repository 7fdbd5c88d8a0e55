package upload

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/blobdock/blobdock/blobstore/internal/memory"
	"github.com/blobdock/blobdock/driver"
)

// headRead is how many bytes of a state's object one read fetches: the header of most.
const headRead = 64 << 10

// load reads a state without its body. ErrUnknown when there is none, or when it is too
// old to be continued.
func (e *Engine) load(ctx context.Context, folder, repo string, i id) (*state, error) {
	key := i.stateKey(folder)
	fail := func(err error) error {
		if errors.Is(err, driver.NotFound) {
			return ErrUnknown
		}
		return fmt.Errorf("upload %s: %w", i, err)
	}
	obj, head, err := e.readRange(ctx, key, driver.Range{Len: headRead}, "")
	if err != nil {
		return nil, fail(err)
	}
	h, bodyOff, err := decode(bytes.NewReader(head))
	if errors.Is(err, ErrBadState) && len(head) == headRead {
		// The header is longer than most.
		n := min(int64(binary.BigEndian.Uint32(head[len(magic)+1:])), maxHeader)
		if _, head, err = e.readRange(ctx, key, driver.Range{Len: int64(prefixLen) + n}, obj.ETag); err != nil {
			return nil, fail(err)
		}
		h, bodyOff, err = decode(bytes.NewReader(head))
	}
	if err != nil {
		return nil, fail(err)
	}
	if h.Repository != repo || h.Offset != i.offset || bodyOff+h.Body != obj.Size || !h.within(folder) {
		return nil, fail(damaged("content", nil))
	}
	if e.tooOld(obj.ModTime) {
		return nil, ErrUnknown
	}
	return &state{id: i, folder: folder, header: h, object: refOf(obj), written: obj.ModTime, bodyOff: bodyOff}, nil
}

func refOf(o driver.Object) driver.ObjectRef { return driver.ObjectRef{Key: o.Key, Version: o.Version} }

// readTries is how often bytes are asked for whose connection breaks.
const readTries = 3

// readRange reads a range of an object; etag is what the object must have, if given.
func (e *Engine) readRange(ctx context.Context, key string, span driver.Range, etag string) (obj driver.Object, p []byte, err error) {
	for range readTries {
		var rd *driver.Reader
		if rd, err = e.bucket.Open(ctx, key, span, driver.ReadOptions{IfMatch: etag}); err != nil {
			return obj, nil, err
		}
		obj = rd.Object
		p, err = io.ReadAll(rd)
		_ = rd.Close()
		if err == nil {
			return obj, p, nil
		}
		if ctx.Err() != nil {
			break
		}
	}
	return obj, nil, broken(key, err)
}

// broken is the error of a connection that broke again and again.
func broken(key string, err error) error {
	if driver.KindOf(err) == driver.Unknown && !driver.IsContextError(err) {
		err = fmt.Errorf("%w: %w", driver.Unavailable, err)
	}
	return fmt.Errorf("object %q: %w", key, err)
}

// readRef appends the bytes of r to buf, which has room for them.
func (e *Engine) readRef(ctx context.Context, r ref, buf *memory.Buffer) error {
	if e.cache.copyBody(r.Key, r.Size, buf) {
		return nil
	}
	var sum uint32
	var got int64
	var err error
	for try := 0; got < r.Size; try++ {
		if try == readTries || err != nil && ctx.Err() != nil {
			return broken(r.Key, err)
		}
		rd, oerr := e.bucket.Open(ctx, r.Key, driver.Range{Off: r.Off + got, Len: r.Size - got}, driver.ReadOptions{IfMatch: r.ETag})
		if oerr != nil {
			return oerr
		}
		for err = nil; got < r.Size && err == nil; {
			p := buf.Free()
			p = p[:min(int64(len(p)), r.Size-got)]
			var n int
			n, err = rd.Read(p)
			sum = crc32.Update(sum, castagnoli, p[:n])
			buf.Advance(n)
			got += int64(n)
		}
		_ = rd.Close()
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
	}
	if sum != r.CRC {
		return fmt.Errorf("bytes of %q: %w", r.Key, damaged("checksum", nil))
	}
	return nil
}
