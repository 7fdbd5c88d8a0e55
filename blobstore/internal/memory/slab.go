package memory

import (
	"context"
	"io"

	"github.com/blobdock/blobdock/driver"
)

// The sizes of slabs: powers of two.
const (
	minSlab  = 4 << 10
	numSizes = 9 // the largest is minSlab << 8, 1 MiB
)

// slab is one block of a Buffer.
type slab struct {
	mem  *[]byte
	size int // class
}

// classOf is the smallest size class that has n bytes, or the largest.
func classOf(n int64) int {
	c := 0
	for c < numSizes-1 && int64(minSlab)<<c < n {
		c++
	}
	return c
}

// Buffer is bytes in slabs of one holder. It is not safe for concurrent use, but may be
// read by many once it is complete.
type Buffer struct {
	holder *Holder
	slabs  []slab
	starts []int64 // offset of each slab's first byte
	room   int64   // bytes that the slabs take
	size   int64   // bytes written
}

// NewBuffer makes an empty buffer, which holds nothing.
func (h *Holder) NewBuffer() *Buffer { return &Buffer{holder: h} }

// Size is how many bytes were written.
func (b *Buffer) Size() int64 { return b.size }

// Room is how many more bytes the buffer takes without Grow.
func (b *Buffer) Room() int64 { return b.room - b.size }

// Want is the size in bytes of the slab that the buffer should get next: 4 KiB at first,
// doubling up to 1 MiB, and no more than hint where that is known.
func (b *Buffer) Want(hint int64) int64 {
	want := max(b.room, minSlab)
	if hint > 0 {
		want = min(want, hint)
	}
	return minSlab << classOf(want)
}

// Slab is memory that a holder was granted and that no buffer has yet.
type Slab struct {
	holder *Holder
	slab   slab
}

// Acquire waits for a slab of size bytes, as long as ctx lets it. Holders must not wait
// while they keep their own spill from running.
func (h *Holder) Acquire(ctx context.Context, size int64) (Slab, error) {
	class := classOf(size)
	if err := h.budget.acquire(ctx, h, minSlab<<class); err != nil {
		return Slab{}, err
	}
	return Slab{h, h.budget.take(class)}, nil
}

// Add appends a slab of the buffer's holder.
func (b *Buffer) Add(s Slab) { b.add(s.slab) }

// GrowAll adds slabs for n further bytes at once, and none when it fails: holders that
// wait for the rest of what they need hold nothing of it.
func (b *Buffer) GrowAll(ctx context.Context, n int64) error {
	return b.growAll(n, func(sum int64) error { return b.holder.budget.acquire(ctx, b.holder, sum) })
}

// TryGrowAll is GrowAll that fails with ErrBusy rather than wait.
func (b *Buffer) TryGrowAll(n int64) error {
	return b.growAll(n, func(sum int64) error { return b.holder.budget.try(b.holder, sum) })
}

func (b *Buffer) growAll(n int64, get func(sum int64) error) error {
	var classes []int
	for left := n - b.Room(); left > 0; {
		c := classOf(left)
		classes = append(classes, c)
		left -= int64(minSlab) << c
	}
	var sum int64
	for _, c := range classes {
		sum += int64(minSlab) << c
	}
	if sum == 0 {
		return nil
	}
	if err := get(sum); err != nil {
		return err
	}
	for _, c := range classes {
		b.add(b.holder.budget.take(c))
	}
	return nil
}

func (b *Buffer) add(s slab) {
	b.slabs = append(b.slabs, s)
	b.starts = append(b.starts, b.room)
	b.room += int64(len(*s.mem))
}

// Write appends p, for which there must be room.
func (b *Buffer) Write(p []byte) (int, error) {
	if int64(len(p)) > b.Room() {
		return 0, io.ErrShortBuffer
	}
	n := len(p)
	for len(p) > 0 {
		m := copy(b.Free(), p)
		b.size += int64(m)
		p = p[m:]
	}
	return n, nil
}

// Free is where the next bytes go, as far as one slab has room. Advance tells how many
// were put there.
func (b *Buffer) Free() []byte {
	i := b.at(b.size)
	if i < 0 {
		return nil
	}
	return (*b.slabs[i].mem)[b.size-b.starts[i]:]
}

// Advance counts n bytes that were put into Free.
func (b *Buffer) Advance(n int) { b.size += int64(n) }

// at is the index of the slab that has the byte at off, or -1.
func (b *Buffer) at(off int64) int {
	if off < 0 || off >= b.room {
		return -1
	}
	lo, hi := 0, len(b.starts)
	for hi-lo > 1 {
		if mid := (lo + hi) / 2; b.starts[mid] <= off {
			lo = mid
		} else {
			hi = mid
		}
	}
	return lo
}

// Bytes implements driver.Memory.
func (b *Buffer) Bytes(off, n int64) []byte {
	n = min(n, b.size-off)
	if off < 0 || n <= 0 {
		return nil
	}
	i := b.at(off)
	p := (*b.slabs[i].mem)[off-b.starts[i]:]
	return p[:min(n, int64(len(p)))]
}

// ReadAt implements io.ReaderAt.
func (b *Buffer) ReadAt(p []byte, off int64) (int, error) {
	n := 0
	for n < len(p) {
		part := b.Bytes(off+int64(n), int64(len(p)-n))
		if part == nil {
			return n, io.EOF
		}
		n += copy(p[n:], part)
	}
	return n, nil
}

// Section is the buffer as a body.
func (b *Buffer) Section() *io.SectionReader { return io.NewSectionReader(b, 0, b.size) }

// Give hands the buffer's slabs to another holder of the same budget.
func (b *Buffer) Give(h *Holder) {
	bu := b.holder.budget
	bu.mu.Lock()
	defer bu.mu.Unlock()
	bu.release(b.holder, b.room)
	bu.grant(h, b.room)
	b.holder = h
}

// Release gives the slabs back. The buffer is empty then, and can be filled again.
func (b *Buffer) Release() {
	if b == nil || len(b.slabs) == 0 {
		return
	}
	bu := b.holder.budget
	for _, s := range b.slabs {
		bu.pools[s.size].Put(s.mem)
	}
	n := b.room
	b.slabs, b.starts, b.room, b.size = nil, nil, 0, 0
	bu.mu.Lock()
	defer bu.mu.Unlock()
	bu.release(b.holder, n)
	bu.admit()
}

// take makes a slab.
func (b *Budget) take(class int) slab {
	mem, _ := b.pools[class].Get().(*[]byte)
	if mem == nil {
		fresh := make([]byte, minSlab<<class)
		mem = &fresh
	}
	return slab{mem, class}
}

var _ interface {
	io.ReaderAt
	io.Writer
	driver.Memory
} = (*Buffer)(nil)
