package upload

import (
	"io"

	"github.com/blobdock/blobdock/blobstore/internal/memory"
	"github.com/blobdock/blobdock/driver"
)

// joined is several buffers one behind the other, as one body.
type joined []*memory.Buffer

var _ driver.Memory = joined(nil)

func (j joined) size() int64 {
	var n int64
	for _, b := range j {
		n += b.Size()
	}
	return n
}

// section is the whole as a body.
func (j joined) section() *io.SectionReader { return io.NewSectionReader(j, 0, j.size()) }

// Bytes implements driver.Memory.
func (j joined) Bytes(off, n int64) []byte {
	for _, b := range j {
		if off < b.Size() {
			return b.Bytes(off, n)
		}
		off -= b.Size()
	}
	return nil
}

// ReadAt implements io.ReaderAt.
func (j joined) ReadAt(p []byte, off int64) (int, error) {
	n := 0
	for n < len(p) {
		part := j.Bytes(off+int64(n), int64(len(p)-n))
		if part == nil {
			return n, io.EOF
		}
		n += copy(p[n:], part)
	}
	return n, nil
}

func (j joined) release() {
	for _, b := range j {
		b.Release()
	}
}
