package upload

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/blobdock/blobdock/blobstore/internal/memory"
	"github.com/blobdock/blobdock/driver"
)

// append takes in r up to its end. length is how many bytes r has, -1 when that is
// unknown; a body that turns out longer or shorter is refused. It returns how many bytes
// it took in.
func (w *Writer) append(ctx context.Context, r io.Reader, length int64) (n int64, err error) {
	if w.published {
		n, err := io.Copy(io.Discard, r)
		w.size += n
		return n, err
	}
	if err := w.begin(ctx, length); err != nil {
		return 0, err
	}
	block := readBlock{budget: w.engine.budget}
	defer func() { block.block.Free() }()
	for {
		if block.filled == 0 {
			block.begin(w.room())
		}
		p := block.free()
		if left := length - n - int64(block.filled); length >= 0 && left < int64(len(p)) {
			p = p[:left+1] // one byte more, so that a longer body shows
		}
		m, rerr := r.Read(p)
		block.read(m)
		got := int64(block.filled)
		switch {
		case length >= 0 && n+got > length:
			return n, w.brokeUnlocked(fmt.Errorf("body is longer than %d bytes: %w", length, ErrLength))
		case rerr == nil && !block.ready():
			continue
		}
		if err := w.take(ctx, &block, length-n); err != nil {
			if err := w.ignoreAlreadyPublished(ctx, err); err != nil {
				return n, err
			}
			w.size = w.state.header.Offset + n + got
			rest, err := w.append(ctx, r, -1)
			return n + got + rest, err
		}
		n += got
		switch { // an error that wraps io.EOF is no end
		case rerr == io.EOF && length >= 0 && n < length:
			return n, fmt.Errorf("body ended after %d of %d bytes: %w: %w", n, length, ErrLength, io.ErrUnexpectedEOF)
		case rerr == io.EOF:
			return n, nil
		case rerr != nil:
			return n, fmt.Errorf("reading the body after %d bytes: %w", n, rerr)
		}
	}
}

// begin prepares the Writer for a body.
func (w *Writer) begin(ctx context.Context, length int64) error {
	w.mu.Lock()
	w.join()
	w.mu.Unlock()
	if w.planned {
		return nil
	}
	if err := w.makePlan(length); err != nil {
		return err
	}
	w.planned = true
	return w.beginDirect(ctx, length)
}

// join makes the Writer a holder of memory. The lock is held.
func (w *Writer) join() {
	if w.holder == nil {
		w.holder = w.engine.budget.Join(w.request.Client, w.spill)
		w.buf = w.holder.NewBuffer()
	}
}

// A large blob that comes with one request has fewer and larger parts, which cost fewer
// requests and less CPU time. Pieces of a PATCH stay small: those that no state names are
// lost when the process dies.
const (
	fewParts   = 64
	mostGrowth = 4 // times the first size, of which an upload has several in memory
)

// partOf is the size of the parts of a blob of total bytes: first, and more when there were
// more than fewParts.
func partOf(total, first int64) int64 {
	parts := (total + first - 1) / first
	return first * min(max(1, (parts+fewParts-1)/fewParts), mostGrowth)
}

// makePlan chooses the sizes of the pieces.
func (w *Writer) makePlan(length int64) (err error) {
	limits, o := w.engine.features.Parts, w.engine.options
	first := o.PartSize
	total := int64(-1)
	switch {
	case length >= 0 && w.request.Final && w.size == 0:
		total = length
		first = partOf(total, first)
	case length >= 0:
		// At least this much will come; there may be more in further requests.
		p, err := limits.Plan(first, o.MaxPart, w.size+length)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrTooLarge, err)
		}
		first = p.Size(1)
	}
	if w.plan, err = limits.Plan(first, o.MaxPart, total); err != nil {
		return fmt.Errorf("%w: %w", ErrTooLarge, err)
	}
	return nil
}

// pieceSize is the size of the next piece.
func (w *Writer) pieceSize() int64 {
	if w.engine.features.Parts.Uniform && len(w.pieces) > 0 {
		return w.pieces[0].Size // another replica may have chosen it
	}
	return w.plan.Size(len(w.pieces) + 1)
}

// tail is how many bytes there are behind the pieces.
func (w *Writer) tail() int64 {
	var n int64
	if w.buf != nil {
		n = w.buf.Size()
	}
	for _, r := range w.refs {
		n += r.Size
	}
	return n
}

// room is how many bytes there is memory for.
func (w *Writer) room() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.buf.Room()
}

// take puts what block has behind the bytes that there are, and empties it. left is how
// many more are known to come, negative when that is unknown. A tail that is full becomes a
// piece when more bytes follow: the last ones stay, which for a small blob are all there
// ever are.
func (w *Writer) take(ctx context.Context, block *readBlock, left int64) error {
	p := block.take()
	if w.direct != nil && w.direct.there {
		_, _ = w.hash.hashes.Write(p)
		w.size += int64(len(p))
		return nil
	}
	for len(p) > 0 {
		n, room, err := w.fill(p)
		if err != nil {
			return err
		}
		p = p[n:]
		switch {
		case len(p) == 0:
			return nil
		case block.adoptable(p) && room >= int64(len(p)):
			return w.adopt(ctx, block)
		case room > 0:
			if left >= 0 {
				room = min(room, max(left, int64(len(p))))
			}
			if err := w.grow(ctx, room); err != nil {
				return err
			}
			continue
		}
		if w.mayBeDirect() {
			if err := w.makeDirect(ctx); err != nil {
				return err
			}
		}
		if err := w.flushTail(ctx); err != nil {
			return err
		}
	}
	return nil
}

// fill copies as much of p as there is memory for. room is how many more bytes the tail
// takes.
func (w *Writer) fill(p []byte) (n int, room int64, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.broken != nil {
		return 0, 0, w.broken
	}
	if most := w.engine.features.Parts.MaxObject; w.size+int64(len(p)) > most {
		return 0, 0, w.broke(fmt.Errorf("%w: the store takes at most %d bytes: %w", ErrTooLarge, most, driver.Invalid))
	}
	room = w.pieceSize() - w.tail()
	for len(p) > 0 && room > 0 && w.buf.Room() > 0 {
		m := copy(w.buf.Free(), p[:min(int64(len(p)), room)])
		w.buf.Advance(m)
		p, room, n = p[m:], room-int64(m), n+m
	}
	w.added(n)
	return n, room, nil
}

// added counts n bytes that were put into buf. The lock is held.
func (w *Writer) added(n int) {
	w.size += int64(n)
	if w.buf.Size()-w.hashed >= hashChunk {
		w.hashRest()
	}
	w.holder.SetIdle(w.buf.Size())
}

// grow adds a slab to buf, where room more bytes may come. It waits for memory without the
// lock: this may be the holder that is to spill.
func (w *Writer) grow(ctx context.Context, room int64) error {
	w.mu.Lock()
	want := w.buf.Want(room)
	w.mu.Unlock()
	ctx, stop := w.waiting(ctx)
	defer stop()
	slab, err := w.holder.Acquire(ctx, want)
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.buf.Add(slab)
	return nil
}

// adopt makes block, which is full, a slab of buf, which has none with room.
func (w *Writer) adopt(ctx context.Context, block *readBlock) error {
	ctx, stop := w.waiting(ctx)
	defer stop()
	slab, err := w.holder.AcquireBlock(ctx, block.block)
	if err != nil {
		return err
	}
	n := len(block.block.Bytes())
	block.block = memory.Block{}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.buf.Add(slab)
	w.buf.Advance(n)
	w.added(n)
	return nil
}

// waiting bounds how long a request waits for memory.
func (w *Writer) waiting(ctx context.Context) (context.Context, context.CancelFunc) {
	if !w.request.HTTP {
		return ctx, func() {}
	}
	return context.WithTimeoutCause(ctx, w.engine.options.MemoryWait, memory.ErrBusy)
}

// hashRest hands the bytes of buf that are not hashed yet to the hasher.
func (w *Writer) hashRest() {
	if w.buf == nil {
		return
	}
	var parts [][]byte // the hasher must not look into a buffer that grows
	n := w.buf.Size() - w.hashed
	for w.hashed < w.buf.Size() {
		p := w.buf.Bytes(w.hashed, w.buf.Size()-w.hashed)
		w.hashed += int64(len(p))
		parts = append(parts, p)
	}
	if n > 0 {
		w.hash.run(int(n), func() {
			for _, p := range parts {
				_, _ = w.hash.hashes.Write(p)
			}
		})
	}
}

// brokeUnlocked is broke for callers that don't hold the lock.
func (w *Writer) brokeUnlocked(err error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.broke(err)
}

// broke makes err the answer to all further bytes. The lock is held.
func (w *Writer) broke(err error) error {
	switch {
	case !errors.Is(err, driver.NotFound) || errors.Is(err, ErrGone):
	case w.direct != nil:
		err = w.direct.lost(err)
	default:
		err = fmt.Errorf("%w: %w", ErrGone, err)
	}
	if w.broken == nil {
		w.broken = err
	}
	return err
}
