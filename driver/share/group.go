package share

import (
	"context"
	"errors"
	"sync"

	"github.com/blobdock/blobdock/driver"
)

// group is what is asked for at the moment, by key.
type group[T any] struct {
	mu    sync.Mutex
	slots map[string]*slot[T]
}

// slot is a request that is under way, and the one after it, if somebody waits for that.
type slot[T any] struct{ running, next *flight[T] }

// flight is one request. The caller who began it sends it, by its own context.
type flight[T any] struct {
	done   chan struct{} // is closed when what follows is known
	value  T
	shared bool // value is for all who wait
	err    error
}

func newFlight[T any]() *flight[T] { return &flight[T]{done: make(chan struct{})} }

// do returns what ask does, or what another's ask has returned that began after this call. ask tells whether
// what it returns is for others as well. Of errors, NotFound alone is.
func (g *group[T]) do(ctx context.Context, key string, ask func() (T, bool, error)) (T, error) {
	g.mu.Lock()
	s := g.slots[key]
	if s == nil {
		if g.slots == nil {
			g.slots = make(map[string]*slot[T])
		}
		s = &slot[T]{running: newFlight[T]()}
		g.slots[key] = s
		g.mu.Unlock()
		return g.send(key, s, s.running, ask)
	}
	f, mine := s.next, s.next == nil
	if mine {
		f = newFlight[T]()
		s.next = f
	}
	before := s.running
	g.mu.Unlock()
	if !mine {
		return g.wait(ctx, f, ask)
	}
	select {
	case <-before.done:
		return g.send(key, s, f, ask)
	case <-ctx.Done():
		f.err = ctx.Err()
		g.end(key, s, f)
		return f.value, f.err
	}
}

// send asks, for all who wait for f.
func (g *group[T]) send(key string, s *slot[T], f *flight[T], ask func() (T, bool, error)) (T, error) {
	defer g.end(key, s, f) // also when ask panics: the others then ask themselves
	f.value, f.shared, f.err = ask()
	return f.value, f.err
}

// end lets those go on who wait for f, and then the next.
func (g *group[T]) end(key string, s *slot[T], f *flight[T]) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case s.next == f: // it was given up before it began
		s.next = nil
	case s.next != nil:
		s.running, s.next = s.next, nil
	default:
		delete(g.slots, key)
	}
	close(f.done)
}

// wait is for who finds that somebody waits already.
func (g *group[T]) wait(ctx context.Context, f *flight[T], ask func() (T, bool, error)) (T, error) {
	select {
	case <-f.done:
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
	if f.shared && (f.err == nil || errors.Is(f.err, driver.NotFound)) {
		return f.value, f.err
	}
	value, _, err := ask()
	return value, err
}
