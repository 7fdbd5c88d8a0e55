package upload

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"

	"github.com/blobdock/blobdock/blobstore/internal/memory"
	"github.com/blobdock/blobdock/driver"
)

// headRead is how many bytes of a state's object one read fetches: the header of most.
const headRead = 64 << 10

// load reads a state without its body. ErrUnknown when there is none, or when it is too
// old to be continued.
func (e *Engine) load(ctx context.Context, folder, repo string, i id) (*state, error) {
	return e.loadInto(ctx, folder, repo, i, nil)
}

// loadInto is load that also reads the body into buf, if that is not nil, by the same
// request. buf stays empty where there is no memory for the body at once, the header is
// longer than most, or the body does not arrive intact: a later read tells why.
func (e *Engine) loadInto(ctx context.Context, folder, repo string, i id, buf *memory.Buffer) (*state, error) {
	key := i.stateKey(folder)
	fail := func(err error) error {
		if errors.Is(err, driver.NotFound) {
			return ErrUnknown
		}
		return fmt.Errorf("upload %s: %w", i, err)
	}
	span := driver.Range{Len: headRead}
	if buf != nil {
		span = driver.Range{}
	}
	rd, head, err := e.openAt(ctx, key, span, "", headRead)
	if err != nil {
		return nil, fail(err)
	}
	defer func() { _ = rd.Close() }()
	obj := rd.Object
	h, bodyOff, err := decode(bytes.NewReader(head))
	if errors.Is(err, ErrBadState) && len(head) == headRead {
		// The header is longer than most.
		n := min(int64(binary.BigEndian.Uint32(head[len(magic)+1:])), maxHeader)
		if _, head, err = e.readRange(ctx, key, driver.Range{Len: int64(prefixLen) + n}, obj.ETag); err != nil {
			return nil, fail(err)
		}
		h, bodyOff, err = decode(bytes.NewReader(head))
		buf = nil
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
	if buf != nil && h.Body > 0 && buf.TryGrowAll(h.Body) == nil {
		sum, err := receive(buf, io.MultiReader(bytes.NewReader(head[bodyOff:]), rd), h.Body, 0)
		if err != nil || sum != h.BodyCRC {
			buf.Release()
		}
	}
	return &state{id: i, folder: folder, header: h, object: refOf(obj), written: obj.ModTime, bodyOff: bodyOff}, nil
}

func refOf(o driver.Object) driver.ObjectRef { return driver.ObjectRef{Key: o.Key, Version: o.Version} }

// readTries is how often bytes are asked for whose connection breaks.
const readTries = 3

// readRange reads a range of an object; etag is what the object must have, if given.
func (e *Engine) readRange(ctx context.Context, key string, span driver.Range, etag string) (driver.Object, []byte, error) {
	rd, p, err := e.openAt(ctx, key, span, etag, math.MaxInt64)
	if err != nil {
		return driver.Object{}, nil, err
	}
	_ = rd.Close()
	return rd.Object, p, nil
}

// openAt opens a range of an object and reads its first n bytes, or all that there are.
func (e *Engine) openAt(ctx context.Context, key string, span driver.Range, etag string, n int64) (rd *driver.Reader, p []byte, err error) {
	for range readTries {
		if rd, err = e.bucket.Open(ctx, key, span, driver.ReadOptions{IfMatch: etag}); err != nil {
			return nil, nil, err
		}
		if p, err = io.ReadAll(io.LimitReader(rd, n)); err == nil {
			return rd, p, nil
		}
		_ = rd.Close()
		if ctx.Err() != nil {
			break
		}
	}
	return nil, nil, broken(key, err)
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
		before := buf.Size()
		sum, err = receive(buf, rd, r.Size-got, sum)
		got += buf.Size() - before
		_ = rd.Close()
	}
	if sum != r.CRC {
		return fmt.Errorf("bytes of %q: %w", r.Key, damaged("checksum", nil))
	}
	return nil
}

// receive appends n bytes of r to buf, which has room for them. It returns the CRC-32C of all
// bytes up to the last that came, of which those before have sum.
func receive(buf *memory.Buffer, r io.Reader, n int64, sum uint32) (uint32, error) {
	for n > 0 {
		p := buf.Free()
		m, err := r.Read(p[:min(int64(len(p)), n)])
		sum = crc32.Update(sum, castagnoli, p[:m])
		buf.Advance(m)
		switch n -= int64(m); {
		case n > 0 && errors.Is(err, io.EOF):
			return sum, io.ErrUnexpectedEOF
		case n > 0 && err != nil:
			return sum, err
		}
	}
	return sum, nil
}
