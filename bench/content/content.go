// Package content makes the bytes that blobs consist of, as fast as memory can be
// copied: the programs that move them are to be measured, and not where they are from.
package content

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"

	"github.com/opencontainers/go-digest"
)

// Content is pseudo-random bytes that are made as they are read. Two of them
// differ when size or seed do.
type Content struct {
	Size int64
	Seed uint64
}

const blockSize = 1 << 20

// block is there twice, so that a block can be read from any place in it.
var block = sync.OnceValue(func() []byte {
	b := make([]byte, blockSize)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(b)
	return append(b, b...)
})

// at is what stands from off on: the same block over and over, each time from
// another place.
func (c Content) at(off int64) []byte {
	n := off / blockSize
	from := (off + n*7919 + int64(c.Seed%blockSize)*15485863) % blockSize
	return block()[from : from+min(blockSize-off%blockSize, c.Size-off)]
}

// ReadAt implements io.ReaderAt.
func (c Content) ReadAt(p []byte, off int64) (n int, err error) {
	for n < len(p) && off < c.Size {
		m := copy(p[n:], c.at(off))
		n, off = n+m, off+int64(m)
	}
	if n < len(p) {
		err = io.EOF
	}
	return n, err
}

// Reader reads all of c.
func (c Content) Reader() *io.SectionReader { return c.Section(0, c.Size) }

// Section reads n bytes from off on.
func (c Content) Section(off, n int64) *io.SectionReader { return io.NewSectionReader(c, off, n) }

// Digest is the SHA-256 of c.
func (c Content) Digest() digest.Digest {
	d, err := digest.SHA256.FromReader(c.Reader())
	if err != nil {
		panic(err) // it reads memory
	}
	return d
}

// Equal reads r to its end, which must come where c's bytes from off to end do.
// To compare costs a tenth of what a hash would.
func (c Content) Equal(r io.Reader, off, end int64) error {
	buf, begin := make([]byte, 256<<10), off
	for {
		n, err := r.Read(buf)
		for got := buf[:n]; len(got) > 0; {
			if off >= end {
				return fmt.Errorf("more than the %d bytes that were asked for", end-begin)
			}
			want := c.at(off)
			want = want[:min(int64(len(want)), int64(len(got)), end-off)]
			if !bytes.Equal(got[:len(want)], want) {
				return fmt.Errorf("other bytes than were sent, from %d on", off)
			}
			got, off = got[len(want):], off+int64(len(want))
		}
		switch {
		case errors.Is(err, io.EOF) && off < end:
			return fmt.Errorf("ended at byte %d, want %d: %w", off-begin, end-begin, io.ErrUnexpectedEOF)
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("at byte %d: %w", off-begin, err)
		}
	}
}
