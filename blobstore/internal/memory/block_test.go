package memory

import "testing"

// Large blocks are few, whether they are freed or become slabs.
func TestLargeBlocks(t *testing.T) {
	b := New(1 << 30)
	h := b.Join(Client{}, nil)
	blocks := make([]Block, 0, mostLarge)
	for i := range mostLarge {
		blocks = append(blocks, b.NewLargeBlock())
		if n := len(blocks[i].Bytes()); n != LargeBlock {
			t.Fatalf("block %d has %d bytes, want %d", i, n, LargeBlock)
		}
	}
	want := func(when string, size int) Block {
		t.Helper()
		block := b.NewLargeBlock()
		if n := len(block.Bytes()); n != size {
			t.Errorf("%s: a block of %d bytes, want %d", when, n, size)
		}
		return block
	}
	want("with as many as may be", MediumBlock).Free()
	want("once more", MediumBlock).Free()
	blocks[0].Free()
	again := want("one was freed", LargeBlock)
	slab, err := h.AcquireBlock(t.Context(), again)
	if err != nil {
		t.Fatal(err)
	}
	blocks[0] = want("one became a slab", LargeBlock)
	want("with as many as may be again", MediumBlock).Free()
	b.NewBlock().Free()
	buf := h.NewBuffer()
	buf.Add(slab)
	buf.Release()
	for _, block := range blocks {
		block.Free()
	}
	if n := b.large.Load(); n != 0 {
		t.Errorf("%d blocks count in the end", n)
	}
}
