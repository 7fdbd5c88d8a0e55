package upload

import (
	"testing"

	"github.com/blobdock/blobdock/blobstore/internal/memory"
)

// TestReadBlock reads blocks, each by Reads of n bytes.
func TestReadBlock(t *testing.T) {
	b := readBlock{budget: memory.New(1 << 20)}
	for i, step := range []struct {
		room   int64
		n      int
		repeat int
		want   int  // bytes that the last block takes
		now    bool // a single Read makes it ready
	}{
		{0, 100, 1000, memory.SmallBlock, true},
		{0, memory.SmallBlock, longBody / memory.SmallBlock, memory.SmallBlock, true}, // from now on the body is long
		{0, memory.LargeBlock, 1, memory.LargeBlock, true}, {0, memory.SmallBlock, 1, memory.LargeBlock, false},
		{1000, 1000, 1, 1000, true}, // 1,000 bytes more would fit the slab that there is
		{memory.SmallBlock, memory.SmallBlock, 1, memory.SmallBlock, true}, {memory.LargeBlock - 1, memory.SmallBlock - 1, 1, memory.LargeBlock - 1, false},
		{0, memory.SmallBlock, 1, memory.SmallBlock, true}, {1 << 20, 1, 1, memory.SmallBlock, true}, // it had slowed down
	} {
		for range step.repeat {
			b.begin(step.room)
			if n := len(b.free()); n != step.want {
				t.Fatalf("step %d: a block for %d bytes, want %d", i, n, step.want)
			}
			b.read(step.n)
			if b.ready() != step.now {
				t.Errorf("step %d: ready after %d of %d bytes: %v", i, step.n, step.want, b.ready())
			}
			for !b.ready() {
				b.read(min(step.n, len(b.free())))
			}
			if got := len(b.take()); got > step.want || b.filled != 0 {
				t.Errorf("step %d: %d bytes taken, %d left", i, got, b.filled)
			}
		}
	}
	b.block.Free()
}
