package content

import (
	"bytes"
	"io"
	"testing"

	"github.com/opencontainers/go-digest"
)

func TestContent(t *testing.T) {
	for _, size := range []int64{1, 1000, blockSize, blockSize + 8, 3*blockSize + 17} {
		c := Content{size, 42}
		all, err := io.ReadAll(c.Reader())
		if err != nil || int64(len(all)) != size || digest.FromBytes(all) != c.Digest() {
			t.Errorf("size %d: %d bytes, %v", size, len(all), err)
		}
		part, err := io.ReadAll(c.Section(size/3, size/2))
		if err != nil || !bytes.Equal(part, all[size/3:size/3+size/2]) {
			t.Errorf("size %d: the middle differs, %v", size, err)
		}
		if size > 1 && (Content{size, 43}).Digest() == c.Digest() {
			t.Errorf("size %d: seeds make no difference", size)
		}
		if err := c.Equal(bytes.NewReader(all), 0, size); err != nil {
			t.Errorf("size %d: %v", size, err)
		}
		if err := c.Equal(bytes.NewReader(part), size/3, size/3+size/2); err != nil {
			t.Errorf("size %d: the middle: %v", size, err)
		}
		if c.Equal(bytes.NewReader(all[:size-1]), 0, size) == nil || c.Equal(bytes.NewReader(append(all, 1)), 0, size) == nil {
			t.Errorf("size %d: a wrong length passes", size)
		}
		all[size-1]++
		if c.Equal(bytes.NewReader(all), 0, size) == nil {
			t.Errorf("size %d: wrong bytes pass", size)
		}
	}
}
