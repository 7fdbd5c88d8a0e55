package limit_test

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/limit"
	"github.com/blobdock/blobdock/driver/mem"
	"github.com/blobdock/blobdock/driver/retry"
)

// store is one whose calls take a second, and of which so many at once are too many.
type store struct {
	enough             int64
	underway, most     atomic.Int64
	served, throttled  atomic.Int64
	retryAfter         time.Duration
	mu                 sync.Mutex
	order              []string
	beganAt, refusedAt []time.Time
}

func (s *store) bucket() driver.Bucket {
	return driver.Wrap(mem.New(), func(ctx context.Context, c *driver.Call, _ func(context.Context) error) error {
		n := s.underway.Add(1)
		defer s.underway.Add(-1)
		for m := s.most.Load(); n > m && !s.most.CompareAndSwap(m, n); m = s.most.Load() {
		}
		s.mu.Lock()
		s.order = append(s.order, c.Key)
		s.beganAt = append(s.beganAt, time.Now())
		s.mu.Unlock()
		if s.enough > 0 && n > s.enough {
			s.throttled.Add(1)
			s.mu.Lock()
			s.refusedAt = append(s.refusedAt, time.Now())
			s.mu.Unlock()
			return &driver.Error{Op: c.Op, Key: c.Key, Kind: driver.Throttled, RetryAfter: s.retryAfter}
		}
		time.Sleep(time.Second)
		s.served.Add(1)
		return nil
	})
}

func TestCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(store)
		b := limit.Wrap(s.bucket(), limit.Options{Calls: 3})
		began := time.Now()
		var wg sync.WaitGroup
		var want []string
		for i := range 9 {
			key := string(rune('a' + i))
			want = append(want, key)
			wg.Go(func() {
				if err := b.Delete(t.Context(), key, driver.DeleteOptions{}); err != nil {
					t.Error(err)
				}
			})
			synctest.Wait() // they come one after the other
		}
		wg.Wait()
		if s.most.Load() != 3 || time.Since(began) != 3*time.Second {
			t.Errorf("%d calls at once took %v, want 3 and 3s", s.most.Load(), time.Since(began))
		}
		for three := range slices.Chunk(s.order, 3) {
			slices.Sort(three) // they begin at the same moment
		}
		if !slices.Equal(s.order, want) {
			t.Errorf("order %q, want %q", s.order, want)
		}
	})
}

func TestRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(store)
		b := limit.Wrap(s.bucket(), limit.Options{Rate: 4})
		began := time.Now()
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() { _ = b.Delete(t.Context(), "k", driver.DeleteOptions{}) })
		}
		wg.Wait()
		slices.SortFunc(s.beganAt, time.Time.Compare)
		for i, at := range s.beganAt {
			if want := time.Duration(i) * time.Second / 4; at.Sub(began) != want {
				t.Errorf("call %d began after %v, want %v", i, at.Sub(began), want)
			}
		}
	})
}

// TestThrottled has 64 callers on a store that takes 10 calls at once. Without a
// limit nearly all of their calls are refused; with one they find out what the
// store takes, and use it.
func TestThrottled(t *testing.T) {
	run := func(t *testing.T, s *store, b driver.Bucket) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		var wg sync.WaitGroup
		for range 64 {
			wg.Go(func() {
				for ctx.Err() == nil {
					if err := b.Delete(ctx, "k", driver.DeleteOptions{}); errors.Is(err, driver.Throttled) {
						time.Sleep(time.Second)
					}
				}
			})
		}
		wg.Wait()
		t.Logf("%d served, %d throttled", s.served.Load(), s.throttled.Load())
	}
	synctest.Test(t, func(t *testing.T) {
		bare, limited := &store{enough: 10}, &store{enough: 10}
		run(t, bare, bare.bucket())
		run(t, limited, limit.Wrap(limited.bucket(), limit.Options{}))
		if limited.throttled.Load() > bare.throttled.Load()/20 {
			t.Errorf("%d calls were throttled, without a limit %d", limited.throttled.Load(), bare.throttled.Load())
		}
		if limited.served.Load() < bare.served.Load()*6/10 {
			t.Errorf("%d calls were served, without a limit %d", limited.served.Load(), bare.served.Load())
		}
	})
}

// TestThrottledInQueue has many callers on a store that takes two calls at once. Some are
// throttled again after they have waited long for their turn: that is repeated all the same.
func TestThrottledInQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &store{enough: 2}
		b := retry.Wrap(limit.Wrap(s.bucket(), limit.Options{}), retry.Policy{Throttled: 100})
		began := time.Now()
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				if err := b.Delete(t.Context(), "k", driver.DeleteOptions{}); err != nil {
					t.Errorf("after %v: %v", time.Since(began), err)
				}
			})
		}
		wg.Wait()
	})
}

// TestRetryAfter has all callers wait when the store asks one of them to.
func TestRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &store{enough: 1, retryAfter: 30 * time.Second}
		b := limit.Wrap(s.bucket(), limit.Options{})
		go func() { _ = b.Delete(t.Context(), "first", driver.DeleteOptions{}) }()
		synctest.Wait()
		if err := b.Delete(t.Context(), "second", driver.DeleteOptions{}); !errors.Is(err, driver.Throttled) {
			t.Fatalf("got %v, want %v", err, driver.Throttled)
		}
		began := time.Now()
		if err := b.Delete(t.Context(), "third", driver.DeleteOptions{}); err != nil || time.Since(began) < 30*time.Second {
			t.Errorf("got %v after %v, want to wait 30s", err, time.Since(began))
		}
	})
}

// TestGivenUp takes those out of the queue whose context ends, and lets the others
// through.
func TestGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(store)
		b := limit.Wrap(s.bucket(), limit.Options{Calls: 1})
		var wg sync.WaitGroup
		wg.Go(func() { _ = b.Delete(t.Context(), "first", driver.DeleteOptions{}) })
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		wg.Go(func() {
			if err := b.Delete(ctx, "second", driver.DeleteOptions{}); !errors.Is(err, context.DeadlineExceeded) || driver.OutcomeUnknown(err) {
				t.Errorf("got %v, want %v", err, context.DeadlineExceeded)
			}
		})
		synctest.Wait()
		wg.Go(func() {
			if err := b.Delete(t.Context(), "third", driver.DeleteOptions{}); err != nil {
				t.Error(err)
			}
		})
		wg.Wait()
		if want := []string{"first", "third"}; !slices.Equal(s.order, want) {
			t.Errorf("the store got %q, want %q", s.order, want)
		}
		if err := b.Delete(ctx, "late", driver.DeleteOptions{}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want %v", err, context.DeadlineExceeded)
		}
	})
}

// TestLongRetryAfter has one answer ask for an hour, or for as long as is waited at most.
// Beyond that no other call waits.
func TestLongRetryAfter(t *testing.T) {
	for _, tt := range []struct {
		o           limit.Options
		asked, want time.Duration
	}{
		{limit.Options{}, time.Hour, 0},
		{limit.Options{}, limit.DefaultMaxRetryAfter, limit.DefaultMaxRetryAfter},
		{limit.Options{MaxRetryAfter: time.Second}, 2 * time.Second, 0},
		{limit.Options{MaxRetryAfter: time.Second}, time.Second, time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			var calls atomic.Int64
			b := limit.Wrap(answering(func(string) error {
				if calls.Add(1) == 1 {
					return &driver.Error{Kind: driver.Throttled, Status: 429, RetryAfter: tt.asked}
				}
				return nil
			}), tt.o)
			var e *driver.Error
			if err := b.Delete(t.Context(), "first", driver.DeleteOptions{}); !errors.As(err, &e) || e.RetryAfter != tt.asked {
				t.Errorf("got %v, want the time that the store asks for", err)
			}
			began := time.Now()
			if err := b.Delete(t.Context(), "second", driver.DeleteOptions{}); err != nil || time.Since(began) != tt.want {
				t.Errorf("%v: got %v after %v, want to wait %v", tt.asked, err, time.Since(began), tt.want)
			}
		})
	}
}

// TestKeyOnly has the store throttle keys each by itself, of which there are some or many:
// others are as fast as before, or have to wait for their turn.
func TestKeyOnly(t *testing.T) {
	for _, tt := range []struct {
		keys  int
		every time.Duration // one key after the other, as a registry with many hot tags has them
		slows bool
	}{{1, 0, false}, {31, 0, false}, {32, 0, true}, {100, 0, true}, {100, 100 * time.Millisecond, false}, {100, 10 * time.Millisecond, true}} {
		synctest.Test(t, func(t *testing.T) {
			var most, underway atomic.Int64
			b := limit.Wrap(answering(func(key string) error {
				if key == "" { // a listing
					n := underway.Add(1)
					defer underway.Add(-1)
					for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
					}
					time.Sleep(time.Second)
					return nil
				}
				return &driver.Error{Kind: driver.Throttled, Key: key, KeyOnly: true, RetryAfter: time.Second}
			}), limit.Options{})
			var wg sync.WaitGroup
			for i := range 200 {
				wg.Go(func() {
					time.Sleep(time.Duration(i) * tt.every)
					_ = b.Delete(t.Context(), strconv.Itoa(i%tt.keys), driver.DeleteOptions{})
				})
			}
			wg.Wait()
			const others = 400
			for range others {
				wg.Go(func() { _, _ = b.ListPage(t.Context(), driver.ListRequest{}) })
			}
			wg.Wait()
			if slowed := most.Load() < others; slowed != tt.slows {
				t.Errorf("with %d keys throttled every %v %d of %d others were under way at once", tt.keys, tt.every, most.Load(), others)
			}
		})
	}
}

// TestAbandonedTurns has many callers give up while they wait for their turn. The next
// caller does not wait for calls that are never made.
func TestAbandonedTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := limit.Wrap(answering(func(string) error { return nil }), limit.Options{Rate: 100})
		ctx, cancel := context.WithTimeout(t.Context(), 55*time.Millisecond)
		defer cancel()
		var wg sync.WaitGroup
		for range 500 {
			wg.Go(func() { _ = b.Delete(ctx, "k", driver.DeleteOptions{}) })
		}
		wg.Wait()
		began := time.Now()
		if err := b.Delete(t.Context(), "k", driver.DeleteOptions{}); err != nil || time.Since(began) > 10*time.Millisecond {
			t.Errorf("got %v after %v, want at most 10ms", err, time.Since(began))
		}
	})
}

// answering is a bucket that answers every call with what answer returns for its key.
func answering(answer func(key string) error) driver.Bucket {
	return driver.Wrap(mem.New(), func(_ context.Context, c *driver.Call, _ func(context.Context) error) error { return answer(c.Key) })
}
