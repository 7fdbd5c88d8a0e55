package upload

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/blobdock/blobdock/driver"
)

// storm lets calls to a store take time, fail, and be carried out although they fail. A
// state that is read may have a bit flipped on the way.
type storm struct {
	mu      sync.Mutex
	rand    *rand.Rand
	calm    bool
	damages int // bits that were flipped
}

var errStorm = errors.New("the store is down")

func (s *storm) wrap(b driver.Bucket) driver.Bucket {
	return driver.Wrap(b, func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
		s.mu.Lock()
		dice, pause := s.rand.IntN(100), time.Duration(s.rand.IntN(40_000_000))
		if s.calm {
			dice = 99
		}
		s.mu.Unlock()
		fail := func(kind driver.Kind, unknown bool) error {
			return &driver.Error{Op: c.Op, Key: c.Key, Kind: kind, OutcomeUnknown: unknown, Err: errStorm}
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return driver.NewError(c.Op, c.Key, ctx.Err())
		}
		switch {
		case dice < 4:
			return fail(driver.Unavailable, false)
		case dice < 7:
			return fail(driver.Throttled, false)
		case dice < 11:
			_ = next(context.WithoutCancel(ctx))
			return fail(driver.Unavailable, c.Op.Changes())
		}
		err := next(ctx)
		if err == nil && c.Op == driver.OpOpen && isState(c.Key) && dice < 20 {
			s.damage(c)
		}
		return err
	})
}

// damage flips a bit of what a call has opened.
func (s *storm) damage(c *driver.Call) {
	if c.Reader.Range.Len == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.damages++
	r := *c.Reader
	r.ReadCloser = &flipped{r.ReadCloser, s.rand.Int64N(c.Reader.Range.Len), 1 << s.rand.IntN(8)}
	c.Reader = &r
}

func (s *storm) damaged() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.damages
}

// flipped flips a bit of the byte at an offset.
type flipped struct {
	io.ReadCloser
	at  int64 // bytes until then
	bit byte
}

func (f *flipped) Read(p []byte) (int, error) {
	n, err := f.ReadCloser.Read(p)
	if f.at >= 0 && f.at < int64(n) {
		p[f.at] ^= f.bit
	}
	f.at -= int64(n)
	return n, err
}

var errKilled = errors.New("the replica was killed")

// killable has all calls fail from a moment on. Of calls under way some are carried out.
func killable(b driver.Bucket, dead <-chan struct{}) driver.Bucket {
	return driver.Wrap(b, func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
		if c.Op != driver.OpOpen { // whose reader needs the context
			bounded, cancel := context.WithCancel(ctx)
			defer cancel()
			ctx = bounded
			done := make(chan struct{})
			defer close(done)
			go func() {
				select {
				case <-dead:
					cancel()
				case <-done:
				}
			}()
		}
		err := next(ctx)
		select {
		case <-dead:
			return errKilled
		default:
			return err
		}
	})
}
