package upload

import "sync"

// A body is read into a block that is not counted: memory is asked for when there is
// something to put there. A client that stalls holds its block, so the block is small
// unless the body keeps filling it.
const (
	smallRead = 16 << 10 // TLS and HTTP/2 deliver no more at once
	largeRead = 64 << 10
)

var smallReads, largeReads = readPool(smallRead), readPool(largeRead)

func readPool(size int) *sync.Pool {
	return &sync.Pool{New: func() any { return &readBlock{p: make([]byte, size)} }}
}

// readBlock is a block from one of the pools. The zero value is none.
type readBlock struct{ p []byte }

// fit has the block fit a body of which the last Read has brought n bytes.
func (b *readBlock) fit(n int) {
	switch {
	case n == smallRead && len(b.p) == smallRead:
		b.swap(largeReads)
	case len(b.p) == 0, n < largeRead && len(b.p) == largeRead:
		b.swap(smallReads)
	}
}

func (b *readBlock) swap(pool *sync.Pool) {
	b.free()
	next, _ := pool.Get().(*readBlock)
	b.p = next.p
}

// free gives the block back.
func (b *readBlock) free() {
	switch len(b.p) {
	case smallRead:
		smallReads.Put(&readBlock{b.p})
	case largeRead:
		largeReads.Put(&readBlock{b.p})
	}
	b.p = nil
}
