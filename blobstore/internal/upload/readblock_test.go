package upload

import (
	"testing"

	"github.com/blobdock/blobdock/blobstore/internal/memory"
)

// TestReadBlock reads blocks, each by Reads of n bytes.
func TestReadBlock(t *testing.T) {
	b := readBlock{budget: memory.New(1 << 20)}
	for i, step := range []struct {
		room int64
		n    int
		want int  // bytes that the block takes
		now  bool // a single Read makes it ready
	}{
		{0, 100, smallRead, true}, {0, smallRead, smallRead, true}, // filled at once:
		{0, largeRead, largeRead, true}, {0, smallRead, largeRead, false},
		{1000, 1000, 1000, true}, // 1,000 bytes more would fit the slab that there is
		{smallRead, smallRead, smallRead, true}, {largeRead - 1, smallRead - 1, largeRead - 1, false},
		{0, smallRead - 1, smallRead, true}, {1 << 20, 1, smallRead, true},
	} {
		b.begin(step.room)
		if n := len(b.free()); n != step.want {
			t.Errorf("step %d: a block for %d bytes, want %d", i, n, step.want)
		}
		b.read(step.n)
		if b.ready() != step.now {
			t.Errorf("step %d: ready after %d of %d bytes: %v", i, step.n, step.want, b.ready())
		}
		for !b.ready() {
			b.read(min(step.n, len(b.free())))
		}
	}
	b.block.Free()
}
