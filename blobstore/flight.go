package blobstore

import (
	"context"
	"io"
	"sync"
	"time"

	"github.com/blobdock/blobdock/driver"
)

// flight is the parts of one upload that are under way, and the buffers they
// are in.
type flight struct {
	store  *Store
	ctx    context.Context
	cancel context.CancelCauseFunc
	stop   context.CancelFunc // ends the detached context's timers

	wg   sync.WaitGroup
	free chan *buffer // sent and hashed
	held int          // buffers that will come back through free

	mu   sync.Mutex
	sent map[int]driver.Part // by index in the stage's parts
	err  error               // of the first part that failed
}

// newFlight is for parts that ctx's end does not stop at once.
func (s *Store) newFlight(ctx context.Context) *flight {
	return s.newFlightIn(detach(ctx, s.grace(ctx)))
}

// newFlightIn is newFlight for a context that is detached already.
func (s *Store) newFlightIn(detached context.Context, stop context.CancelFunc) *flight {
	ctx, cancel := context.WithCancelCause(detached)
	return &flight{
		store: s, ctx: ctx, cancel: cancel, stop: stop,
		// One buffer is filled while Concurrency are sent.
		free: make(chan *buffer, s.options.Concurrency+1),
		sent: make(map[int]driver.Part),
	}
}

// send uploads buf as part n in the background. The buffer comes back when it
// was both sent and hashed.
func (f *flight) send(u driver.Upload, n, slot int, buf *buffer) {
	if buf.flight != f {
		f.held++
		buf.flight, buf.freed = f, f.recycle
	}
	f.wg.Add(1)
	go func() {
		defer f.wg.Done()
		defer buf.done()
		p, err := f.store.bucket.PutPart(f.ctx, u, n, section(buf.bytes()))
		f.mu.Lock()
		defer f.mu.Unlock()
		if err != nil {
			if f.err == nil {
				f.err = err
				f.cancel(err) // the others' work is of no use any more
			}
			return
		}
		f.sent[slot] = p
	}()
}

func (f *flight) recycle(buf *buffer) { f.free <- buf }

// buffer returns an empty buffer for size bytes: one that came back, a further one
// while there is room in the budget, else it waits for one to come back, or for its turn.
func (f *flight) buffer(ctx context.Context, size int64) (*buffer, error) {
	for {
		if f.ctx.Err() != nil {
			return nil, f.cause()
		}
		select {
		case buf := <-f.free:
			if got := f.reuse(buf, size); got != nil {
				return got, nil
			}
			continue
		default:
		}
		if f.held <= f.store.options.Concurrency && (f.held == 0 || !f.store.budget.contended()) {
			if buf := f.store.budget.try(ctx, size); buf != nil {
				return f.adopt(buf), nil
			}
		}
		if f.held == 0 {
			buf, err := f.store.buffer(ctx, size, true)
			if err != nil {
				return nil, err
			}
			return f.adopt(buf), nil
		}
		select {
		case buf := <-f.free:
			if got := f.reuse(buf, size); got != nil {
				return got, nil
			}
		case <-f.ctx.Done():
			return nil, f.cause()
		}
	}
}

// adopt makes buf one that comes back to f.
func (f *flight) adopt(buf *buffer) *buffer {
	f.held++
	buf.flight, buf.freed = f, f.recycle
	return buf
}

// reuse empties a buffer that came back, or gives it up: when it is too small, or
// when others wait. Of those this upload is then the last, so that all get on in turn.
func (f *flight) reuse(buf *buffer, size int64) *buffer {
	if int64(buf.size()) < size || f.store.budget.contended() {
		f.held--
		buf.owner.put(buf)
		return nil
	}
	buf.n, buf.granted = 0, time.Now()
	buf.use()
	return buf
}

func (f *flight) cause() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return f.err
	}
	return context.Cause(f.ctx)
}

// wait returns when no part is under way, and enters what was sent into parts.
func (f *flight) wait(parts []driver.Part) error {
	f.wg.Wait()
	f.cancel(nil)
	f.stop()
	for slot, p := range f.sent {
		parts[slot] = p
	}
	return f.err
}

// freeAll gives the buffers that came back to the budget. One that the stage is
// filling goes there by itself.
func (f *flight) freeAll() {
	for {
		select {
		case buf := <-f.free:
			buf.owner.put(buf)
		default:
			return
		}
	}
}

func section(p []byte) *io.SectionReader {
	return io.NewSectionReader(joined{head: p}, 0, int64(len(p)))
}
