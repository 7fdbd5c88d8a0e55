package blobstore_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/fault"
	"github.com/blobdock/blobdock/internal/friend"
)

const leaseKey = "docker/registry/v2/_leases/sweep"

// TestRunWithLease has many replicas try at once, and again and again.
func TestRunWithLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBucket(t)
		const replicas, every = 8, time.Hour
		var runs, atOnce atomic.Int64
		began := time.Now()
		var wg sync.WaitGroup
		for i := range replicas {
			s := newStore(t, b)
			wg.Go(func() {
				for time.Since(began) < 10*every-time.Minute {
					lease, err := friend.Of(s).RunWithLease(t.Context(), "sweep", every, func(context.Context) error {
						if atOnce.Add(1) > 1 {
							t.Error("two at once")
						}
						time.Sleep(10 * time.Minute) // the lease is renewed meanwhile
						atOnce.Add(-1)
						runs.Add(1)
						return nil
					})
					if err != nil {
						t.Error(err)
					}
					if lease.Began.IsZero() && !lease.Ran {
						t.Error("it is not known when it began")
					}
					time.Sleep(time.Duration(i+1) * time.Minute)
				}
			})
		}
		wg.Wait()
		if got := runs.Load(); got < 9 || got > 10 {
			t.Errorf("%d runs in 10 hours, want one an hour", got)
		}
	})
}

// TestLeaseThrottled has replicas try at once on a store that takes the first write of the
// lease, and throttles those of the others for longer than they are repeated.
func TestLeaseThrottled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var writes atomic.Int64
		b := driver.Wrap(newBucket(t), func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
			if c.Op != driver.OpPut {
				return next(ctx)
			}
			first := writes.Add(1) == 1
			time.Sleep(time.Millisecond) // all have seen that nobody has the lease
			if first {
				return next(ctx)
			}
			return &driver.Error{Op: c.Op, Key: c.Key, Kind: driver.Throttled, KeyOnly: true, RetryAfter: time.Second}
		})
		var runs atomic.Int64
		var wg sync.WaitGroup
		for range 8 {
			s := newStore(t, b)
			wg.Go(func() {
				lease, err := friend.Of(s).RunWithLease(t.Context(), "sweep", time.Hour, func(context.Context) error {
					runs.Add(1)
					return nil
				})
				if err != nil || lease.Began.IsZero() {
					t.Errorf("got %+v, %v", lease, err)
				}
			})
		}
		wg.Wait()
		if got := runs.Load(); got != 1 {
			t.Errorf("%d of 8 ran, want 1", got)
		}
	})
}

// TestLease plays what may happen to the one that holds it.
func TestLease(t *testing.T) {
	boom := errors.New("boom")
	ok := func(context.Context) error { return nil }
	for _, tt := range []struct {
		name string
		do   func(b driver.Bucket) func(context.Context) error
		err  error
		wait time.Duration // until another tries
		ran  bool          // the other
	}{
		{"done", func(driver.Bucket) func(context.Context) error { return ok }, nil, time.Minute, false},
		{"done long ago", func(driver.Bucket) func(context.Context) error { return ok }, nil, time.Hour, true},
		{"fails", func(driver.Bucket) func(context.Context) error {
			return func(context.Context) error { return boom }
		}, boom, 0, true},
		{"loses it", func(b driver.Bucket) func(context.Context) error {
			return func(ctx context.Context) error {
				put(t, b, leaseKey, []byte(`{"holder":"another","until":"2000-01-01T00:00:00Z"}`))
				<-ctx.Done()
				return ctx.Err()
			}
		}, driver.Mismatch, 0, true},
		{"finds it spoiled", func(b driver.Bucket) func(context.Context) error {
			return func(context.Context) error {
				put(t, b, leaseKey, []byte("?"))
				return nil
			}
		}, nil, 0, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBucket(t)
				lease, err := friend.Of(newStore(t, b)).RunWithLease(t.Context(), "sweep", time.Hour, tt.do(b))
				if !lease.Ran || !errors.Is(err, tt.err) {
					t.Errorf("got %+v and %v, want %v", lease, err, tt.err)
				}
				time.Sleep(tt.wait)
				lease, err = friend.Of(newStore(t, b)).RunWithLease(t.Context(), "sweep", time.Hour, ok)
				if lease.Ran != tt.ran || err != nil {
					t.Errorf("another: got %+v and %v, want to run: %v", lease, err, tt.ran)
				}
			})
		})
	}
}

// TestLeaseOfTheDead takes over from a process that vanished, after a minute.
func TestLeaseOfTheDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBucket(t)
		dead := make(chan struct{})
		broken := fault.Wrap(b, fault.Script{{Op: driver.OpPut, Nth: 1, Delay: time.Nanosecond}, {Op: driver.OpPut}})
		go func() {
			defer close(dead)
			_, err := friend.Of(newStore(t, broken)).RunWithLease(t.Context(), "sweep", time.Hour, func(ctx context.Context) error {
				<-ctx.Done() // it can't renew, and is told so in time
				return ctx.Err()
			})
			if !errors.Is(err, fault.ErrInjected) {
				t.Errorf("got %v, want %v", err, fault.ErrInjected)
			}
		}()
		time.Sleep(50 * time.Second)
		run := func() bool {
			lease, err := friend.Of(newStore(t, b)).RunWithLease(t.Context(), "sweep", time.Hour, func(context.Context) error { return nil })
			if err != nil {
				t.Error(err)
			}
			return lease.Ran
		}
		if run() {
			t.Error("runs while another holds the lease")
		}
		<-dead
		time.Sleep(20 * time.Second)
		if !run() {
			t.Error("does not take over")
		}
	})
}

// TestNoLease runs in any case on a store without conditional writes.
func TestNoLease(t *testing.T) {
	b := driver.WithFeatures(newBucket(t), func(f *driver.Features) { f.Conds = driver.Conds{} })
	for range 2 {
		lease, err := friend.Of(newStore(t, b)).RunWithLease(t.Context(), "sweep", time.Hour, func(context.Context) error { return nil })
		if !lease.Ran || err != nil {
			t.Errorf("got %+v and %v", lease, err)
		}
	}
	if left := keys(t, b); len(left) > 0 {
		t.Errorf("there is %q", left)
	}
}
