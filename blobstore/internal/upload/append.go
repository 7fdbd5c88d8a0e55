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
	var block readBlock
	defer func() { block.free() }()
	for m := 0; ; {
		block.fit(m)
		p := block.p
		if left := length - n; length >= 0 && left < int64(len(p)) {
			p = p[:left+1] // one byte more, so that a longer body shows
		}
		var rerr error
		m, rerr = r.Read(p)
		if length >= 0 && n+int64(m) > length {
			return n, w.brokeUnlocked(fmt.Errorf("body is longer than %d bytes: %w", length, ErrLength))
		}
		if err := w.take(ctx, p[:m], length-n); err != nil {
			if err := w.ignoreAlreadyPublished(ctx, err); err != nil {
				return n, err
			}
			w.size = w.state.header.Offset + n + int64(m)
			rest, err := w.append(ctx, r, -1)
			return n + int64(m) + rest, err
		}
		n += int64(m)
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

// makePlan chooses the sizes of the pieces.
func (w *Writer) makePlan(length int64) (err error) {
	limits, o := w.engine.features.Parts, w.engine.options
	first := o.PartSize
	total := int64(-1)
	switch {
	case length >= 0 && w.request.Final && w.size == 0:
		total = length
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

// take puts p behind the bytes that there are. left is how many more are known to come,
// negative when that is unknown. A tail that is full becomes a piece when more bytes
// follow: the last ones stay, which for a small blob are all there ever are.
func (w *Writer) take(ctx context.Context, p []byte, left int64) error {
	if w.direct != nil && w.direct.there {
		_, _ = w.hash.hashes.Write(p)
		w.size += int64(len(p))
		return nil
	}
	for len(p) > 0 {
		n, want, err := w.fill(p, left)
		if err != nil {
			return err
		}
		p = p[n:]
		if len(p) == 0 {
			break
		}
		if want > 0 {
			// Not with the lock held: this may be the holder that is to spill.
			slab, err := w.acquire(ctx, want)
			if err != nil {
				return err
			}
			w.mu.Lock()
			w.buf.Add(slab)
			w.mu.Unlock()
			continue
		}
		if w.mayBeDirect() {
			if err := w.makeDirect(ctx); err != nil {
				return err
			}
		}
		if err := w.cut(ctx); err != nil {
			return err
		}
	}
	return nil
}

// fill copies as much of p as there is room for. want is the size of a slab that is
// needed for more; 0 when the tail is full.
func (w *Writer) fill(p []byte, left int64) (n int, want int64, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.broken != nil {
		return 0, 0, w.broken
	}
	if most := w.engine.features.Parts.MaxObject; w.size+int64(len(p)) > most {
		return 0, 0, w.broke(fmt.Errorf("%w: the store takes at most %d bytes: %w", ErrTooLarge, most, driver.Invalid))
	}
	room := w.pieceSize() - w.tail()
	for len(p) > 0 && room > 0 && w.buf.Room() > 0 {
		m := copy(w.buf.Free(), p[:min(int64(len(p)), room)])
		w.buf.Advance(m)
		p, room, n = p[m:], room-int64(m), n+m
	}
	w.size += int64(n)
	if w.buf.Size()-w.hashed >= hashChunk {
		w.hashRest()
	}
	w.holder.SetIdle(w.buf.Size())
	if len(p) > 0 && room > 0 {
		if left < 0 || left > room {
			left = room
		}
		want = w.buf.Want(max(left, int64(len(p))))
	}
	return n, want, nil
}

// acquire waits for a slab as long as a request may.
func (w *Writer) acquire(ctx context.Context, size int64) (memory.Slab, error) {
	ctx, stop := w.waiting(ctx)
	defer stop()
	return w.holder.Acquire(ctx, size)
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
	for w.hashed < w.buf.Size() {
		p := w.buf.Bytes(w.hashed, w.buf.Size()-w.hashed)
		w.hashed += int64(len(p))
		w.hash.run(len(p), func() { _, _ = w.hash.hashes.Write(p) })
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
