package upload

import "github.com/blobdock/blobdock/blobstore/internal/memory"

// A body is read into a block that is not counted: memory is asked for when there is
// something to put there. A client that stalls holds its block, so the block is small
// unless the body keeps filling it. A large one that is full is not copied, but becomes a
// slab itself.
const (
	smallRead = 16 << 10 // TLS and HTTP/2 deliver no more at once
	largeRead = 64 << 10
)

// readBlock is what a body is read into.
type readBlock struct {
	budget *memory.Budget
	block  memory.Block
	filled int // bytes that were read
	limit  int // bytes that are to be read
	most   int // that one Read has brought
}

// begin empties the block. room is how many bytes go into the slab that there is: they are
// read by themselves, so that a full block follows.
func (b *readBlock) begin(room int64) {
	size := smallRead
	if b.most >= smallRead {
		size = largeRead
	}
	if len(b.block.Bytes()) != size {
		b.block.Free()
		b.block = b.budget.NewBlock(int64(size))
	}
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
func (b *readBlock) ready() bool { return b.limit <= smallRead || b.filled == b.limit }

// bytes are those that were read.
func (b *readBlock) bytes() []byte { return b.block.Bytes()[:b.filled] }
