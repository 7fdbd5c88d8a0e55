package cloud

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"github.com/blobdock/blobdock/driver"
)

// RequestBody is a body on its way. It remembers its own failure, which the
// transport reports like one of the network.
//
// The transport may go on reading a body after it has returned, when the reply
// came early or the call was given up. The caller, however, uses its buffer
// again: after Release nothing reads it.
type RequestBody struct {
	*io.SectionReader
	failure  atomic.Pointer[error]
	mu       sync.Mutex // held while bytes are copied
	released bool
}

// NewRequestBody sends body from its start, with a position of its own.
func NewRequestBody(body *io.SectionReader) *RequestBody {
	return &RequestBody{SectionReader: fromStart(body)}
}

func fromStart(body *io.SectionReader) *io.SectionReader {
	return io.NewSectionReader(body, 0, body.Size())
}

var errReleased = errors.New("the call that sent this body has ended")

// Read implements io.Reader. A body that ends early is io.ErrUnexpectedEOF.
func (b *RequestBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.released {
		return 0, errReleased
	}
	at, _ := b.Seek(0, io.SeekCurrent)
	n, err := b.SectionReader.Read(p)
	if errors.Is(err, io.EOF) && at+int64(n) < b.Size() {
		err = fmt.Errorf("body ends at %d of %d bytes: %w", at+int64(n), b.Size(), io.ErrUnexpectedEOF)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		b.failure.CompareAndSwap(nil, &err)
	}
	return n, err
}

// WriteTo implements io.WriterTo: what lies in memory is handed on from there.
func (b *RequestBody) WriteTo(w io.Writer) (n int64, err error) {
	for {
		m, err := b.hand(w)
		n += int64(m)
		if err != nil {
			return n, err
		}
		if m == 0 {
			break
		}
	}
	m, err := io.Copy(w, struct{ io.Reader }{b})
	return n + m, err
}

// handBytes are written at a time, and what a Release may have to wait for.
const handBytes = 1 << 20

// hand writes what comes next if it lies in memory.
func (b *RequestBody) hand(w io.Writer) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.released {
		return 0, errReleased
	}
	at, _ := b.Seek(0, io.SeekCurrent)
	p := driver.BodyBytes(b.SectionReader, at, handBytes)
	if len(p) == 0 {
		return 0, nil
	}
	n, err := w.Write(p)
	_, _ = b.Seek(int64(n), io.SeekCurrent)
	return n, err
}

// Close is for SDKs that want a closer.
func (b *RequestBody) Close() error { return nil }

// Release ends the use of the body.
func (b *RequestBody) Release() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.released = true
}

// Digest reads body once and writes all of it to each of to, usually hashes. Where
// want is its SHA-256, known beforehand, a body with another one is Corrupt.
func Digest(body *io.SectionReader, want []byte, to ...io.Writer) error {
	sum := sha256.New()
	if len(want) > 0 {
		to = append(to, sum)
	}
	if len(to) == 0 {
		return nil
	}
	n, err := writeAll(io.MultiWriter(to...), body)
	switch {
	case err != nil:
		return fmt.Errorf("body at %d of %d bytes: %w", n, body.Size(), err)
	case n < body.Size():
		return fmt.Errorf("body ends at %d of %d bytes: %w", n, body.Size(), io.ErrUnexpectedEOF)
	}
	if got := sum.Sum(nil); len(want) > 0 && !bytes.Equal(got, want) {
		return fmt.Errorf("body has sha256 %x, want %x: %w", got, want, driver.Corrupt)
	}
	return nil
}

// digestBytes of a body are read at a time: what the processor's cache holds while
// one sum after the other is taken.
const digestBytes = 256 << 10

// writeAll writes body to w, whatever its position.
func writeAll(w io.Writer, body *io.SectionReader) (n int64, err error) {
	for {
		p := driver.BodyBytes(body, n, digestBytes)
		if len(p) == 0 {
			break
		}
		m, err := w.Write(p)
		n += int64(m)
		if err != nil {
			return n, err
		}
	}
	m, err := io.Copy(w, io.NewSectionReader(body, n, body.Size()-n))
	return n + m, err
}
