package upload

import "github.com/blobdock/blobdock/blobstore/internal/memory"

// A body is read into a block that is not counted: memory is asked for when there is
// something to put there. A client that stalls holds its block, so the block is small until
// the body has filled so many that it is long. A larger block that is full is not copied, but
// becomes a slab itself. Of 256 KiB rather than 64, 1 GiB costs an eighth less CPU time.
const longBody = 1 << 20

// readBlock is what a body is read into.
type readBlock struct {
	budget *memory.Budget
	block  memory.Block
	filled int // bytes that were read
	limit  int // bytes that are to be read
	most   int // bytes that one Read has brought
	// streak is how many bytes have come since a Read last filled no small block.
	streak int
}

// begin empties the block. room is how many bytes go into the slab that there is: they are
// read by themselves, so that a full block follows.
func (b *readBlock) begin(room int64) {
	long := b.streak >= longBody
	if n := len(b.block.Bytes()); n == 0 || long != (n > memory.SmallBlock) {
		b.block.Free()
		if long {
			b.block = b.budget.NewLargeBlock()
		} else {
			b.block = b.budget.NewBlock()
		}
	}
	size := len(b.block.Bytes())
	b.filled, b.limit, b.most = 0, size, 0
	if room > 0 {
		b.limit = int(min(room, int64(size)))
	}
}

// free is where the next bytes go.
func (b *readBlock) free() []byte { return b.block.Bytes()[b.filled:b.limit] }

// read counts n bytes that were put into free.
func (b *readBlock) read(n int) {
	b.filled += n
	b.most = max(b.most, n)
}

// ready reports whether the bytes are to be taken now. Few bytes are at once.
func (b *readBlock) ready() bool { return b.limit <= memory.SmallBlock || b.filled == b.limit }

// adoptable reports whether p is all of a larger block.
func (b *readBlock) adoptable(p []byte) bool {
	n := len(b.block.Bytes())
	return n > memory.SmallBlock && len(p) == n
}

// take empties the block of what was read.
func (b *readBlock) take() []byte {
	p := b.block.Bytes()[:b.filled]
	if b.streak += b.filled; b.most < min(b.limit, memory.SmallBlock) {
		b.streak = 0
	}
	b.filled = 0
	return p
}
