package memory

import "context"

// The sizes of blocks in bytes.
const (
	SmallBlock  = 16 << 10 // TLS and HTTP/2 deliver no more at once
	MediumBlock = 64 << 10
	LargeBlock  = 256 << 10
)

// mostLarge is how many large blocks there are at most: 16 MiB.
const mostLarge = 64

// Block is memory that nobody is granted: what a body is read into before it is known that
// it brings any bytes. The zero value is none.
type Block struct {
	budget *Budget
	slab   slab
}

// NewBlock makes a small block.
func (b *Budget) NewBlock() Block { return b.block(SmallBlock) }

// NewLargeBlock makes a large block, or a medium one while there are as many as may be: a
// client that stalls holds its block.
func (b *Budget) NewLargeBlock() Block {
	if b.large.Add(1) > mostLarge {
		b.large.Add(-1)
		return b.block(MediumBlock)
	}
	return b.block(LargeBlock)
}

func (b *Budget) block(size int64) Block { return Block{b, b.take(classOf(size))} }

// Bytes is the memory of the block.
func (b Block) Bytes() []byte {
	if b.budget == nil {
		return nil
	}
	return *b.slab.mem
}

// Free gives the block back, which must not be used any more.
func (b Block) Free() {
	if b.budget != nil {
		b.gone()
		b.budget.pools[b.slab.size].Put(b.slab.mem)
	}
}

// gone has the block count no longer.
func (b Block) gone() {
	if len(b.Bytes()) == LargeBlock {
		b.budget.large.Add(-1)
	}
}

// AcquireBlock is Acquire of memory that is there: a block of the holder's budget, which
// belongs to the slab then.
func (h *Holder) AcquireBlock(ctx context.Context, b Block) (Slab, error) {
	if err := h.budget.acquire(ctx, h, int64(len(b.Bytes()))); err != nil {
		return Slab{}, err
	}
	b.gone()
	return Slab{h, b.slab}, nil
}
