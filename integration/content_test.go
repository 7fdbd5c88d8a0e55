package integration_test

import (
	"bytes"
	"crypto/sha256"
	"encoding"
	"encoding/binary"
	"errors"
	"hash"
	"io"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/opencontainers/go-digest"
)

// content is pseudo-random bytes that are made as they are read. Two contents
// differ when size or seed do. All of one size begin alike and differ in their
// last 8 bytes, so that the digests of many large ones cost little more than one.
type content struct {
	size int64
	seed uint64
}

const blockSize = 1 << 20

var block = sync.OnceValue(func() []byte {
	b := make([]byte, blockSize)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(b)
	return b
})

// ReadAt implements io.ReaderAt.
func (c content) ReadAt(p []byte, off int64) (n int, err error) {
	body := c.size - 8
	for n < len(p) && off < body {
		// The same block over and over, each time from another place.
		at := (off + off/blockSize*7919) % blockSize
		rest := p[n:]
		if left := min(body-off, blockSize-off%blockSize); int64(len(rest)) > left {
			rest = rest[:left]
		}
		m := copy(rest, block()[at:])
		n, off = n+m, off+int64(m)
	}
	if n < len(p) && off >= body {
		var tail [8]byte
		binary.BigEndian.PutUint64(tail[:], c.seed)
		m := copy(p[n:], tail[min(off-body, 8):])
		n, off = n+m, off+int64(m)
	}
	if n < len(p) || off == c.size {
		err = io.EOF
	}
	return n, err
}

// reader reads all of c, section a part of it.
func (c content) reader() *io.SectionReader              { return c.section(0, c.size) }
func (c content) section(off, n int64) *io.SectionReader { return io.NewSectionReader(c, off, n) }

// common has the hash state before the last 8 bytes, by size.
var common struct {
	sync.Mutex
	states map[int64][]byte
}

// digest is the SHA-256 of c.
func (c content) digest() digest.Digest {
	h := sha256.New()
	resume(h, c)
	_, _ = io.Copy(h, c.section(c.size-8, 8))
	return digest.NewDigest(digest.SHA256, h)
}

func resume(h hash.Hash, c content) {
	common.Lock()
	defer common.Unlock()
	if state, ok := common.states[c.size]; ok {
		if err := h.(encoding.BinaryUnmarshaler).UnmarshalBinary(state); err == nil {
			return
		}
	}
	_, _ = io.Copy(h, c.section(0, c.size-8))
	if common.states == nil {
		common.states = make(map[int64][]byte)
	}
	common.states[c.size], _ = h.(encoding.BinaryMarshaler).MarshalBinary()
}

// bytes is all of c at once, for small ones.
func (c content) bytes(t testing.TB) []byte {
	t.Helper()
	b, err := io.ReadAll(c.reader())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestContent(t *testing.T) {
	for _, size := range []int64{8, 9, 1000, blockSize, blockSize + 8, 3*blockSize + 17} {
		c := content{size, 42}
		all := c.bytes(t)
		if int64(len(all)) != size || digest.FromBytes(all) != c.digest() {
			t.Errorf("size %d: %d bytes of %s, want %s", size, len(all), digest.FromBytes(all), c.digest())
		}
		if (content{size, 43}).digest() == c.digest() {
			t.Errorf("size %d: seeds make no difference", size)
		}
		mid := make([]byte, (size+1)/2)
		n, err := c.ReadAt(mid, size/3)
		if err != nil && !errors.Is(err, io.EOF) || !bytes.Equal(mid[:n], all[size/3:size/3+int64(n)]) {
			t.Errorf("size %d: reading from the middle: %d bytes, %v", size, n, err)
		}
	}
}
