package mem

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/internal/body"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// content is the bytes of an object or part, in pieces that never change. So an
// object is made of its parts, and a copy of its source, without copying a byte.
type content struct {
	pieces [][]byte
	size   int64
}

// grow is how much of a body is made room for beforehand. What a body's size
// says is not believed further than this.
const grow = 16 * mib

// receive reads all of body.
func receive(ctx context.Context, from *io.SectionReader, sum []byte) (content, error) {
	var buf bytes.Buffer
	buf.Grow(int(min(from.Size(), grow)))
	if err := body.Copy(ctx, &buf, from, sum); err != nil {
		return content{}, err
	}
	return content{[][]byte{buf.Bytes()}, int64(buf.Len())}, nil
}

// concat is all of cs, one behind the other.
func concat(cs []content) (all content) {
	for _, c := range cs {
		all.pieces, all.size = append(all.pieces, c.pieces...), all.size+c.size
	}
	return all
}

// slice is the part of c that r names, which is resolved.
func (c content) slice(r driver.Range) content {
	var s content
	off := r.Off
	for _, p := range c.pieces {
		if skip := min(off, int64(len(p))); skip > 0 {
			p, off = p[skip:], off-skip
		}
		if n := min(int64(len(p)), r.Len-s.size); n > 0 {
			s.pieces, s.size = append(s.pieces, p[:n]), s.size+n
		}
	}
	return s
}

// etag is the same for the same bytes.
func (c content) etag() string {
	sum := sha256.New()
	_, _ = io.Copy(sum, c.reader()) // from memory
	return fmt.Sprintf("\"%x\"", sum.Sum(nil)[:16])
}

func (c content) crc32c() (sum uint32) {
	for _, p := range c.pieces {
		sum = crc32.Update(sum, castagnoli, p)
	}
	return sum
}

func (c content) reader() io.Reader {
	rs := make([]io.Reader, len(c.pieces))
	for i, p := range c.pieces {
		rs[i] = bytes.NewReader(p)
	}
	return io.MultiReader(rs...)
}
