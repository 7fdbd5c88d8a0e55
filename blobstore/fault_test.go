package blobstore_test

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/fault"
	"github.com/blobdock/blobdock/driver/mem"
	"github.com/blobdock/blobdock/driver/retry"
)

// withoutInterval is an imitation whose keys can be written as often as wanted.
func withoutInterval(name string) driver.Bucket {
	o := mem.Imitations()[name]
	o.KeyInterval = 0
	uniform := o.Parts.Uniform
	o.Parts = small
	o.Parts.Uniform = uniform
	return mem.NewWith(o)
}

// TestFaults lets every call of a push fail, before, after and in mid-body, with and without
// retries. In each case a push that reports success is there with the right bytes, no
// digest ever has wrong ones, the push can be repeated, and a sweep leaves nothing behind.
func TestFaults(t *testing.T) {
	p := content(11, 9000)
	d := digest.FromBytes(p)
	for _, name := range []string{"minio", "gcs", "plain"} {
		for way, chunk := range map[string]int{"monolithic": 0, "stream": len(p), "chunked": 2500} {
			for _, attempts := range []int{1, 4} {
				label := name + "/" + way
				if attempts > 1 {
					label += "/retried"
				}
				t.Run(label, func(t *testing.T) {
					store := func(b driver.Bucket) *blobstore.Store {
						o := options()
						o.Concurrency, o.Retry = 2, retry.Policy{Attempts: attempts, Base: time.Microsecond}
						s, err := blobstore.New(b, o)
						if err != nil {
							t.Fatal(err)
						}
						return s
					}
					var pushed *blobstore.Store
					scenario := func(b driver.Bucket) error {
						pushed = store(b)
						defer func() { _ = pushed.Close() }()
						return push(newRepository(t, pushed, "app"), p, chunk, d)
					}
					check := func(t *testing.T, b driver.Bucket, pt fault.Point, err error) {
						if u := pushed.Usage(); u.Memory != 0 || u.Uploads != 0 {
							t.Errorf("memory in use: %+v", u)
						}
						s := store(b)
						repo := newRepository(t, s, "app")
						if obj, serr := b.Stat(t.Context(), blobKey(d)); serr == nil && obj.Size != int64(len(p)) {
							t.Errorf("a blob of %d bytes shows, want %d", obj.Size, len(p))
						}
						if err == nil {
							wantContent(t, repo, d, p)
						}
						if perr := push(repo, p, chunk, d); perr != nil {
							t.Errorf("pushed again: %v", perr)
						}
						wantContent(t, repo, d, p)
						_ = s.Close()
						if _, serr := s.Sweep(t.Context(), blobstore.SweepOptions{OlderThan: time.Nanosecond}); serr != nil {
							t.Errorf("Sweep: %v", serr)
						}
						wantKeys(t, b, 2)
					}
					fault.EachPoint(t, func() driver.Bucket { return withoutInterval(name) }, scenario, check)
				})
			}
		}
	}
}

// TestOnlyVerdictEnds has each call of the final PUT fail for good. The PUT that the client
// sends again succeeds, with the bytes that were acknowledged before.
func TestOnlyVerdictEnds(t *testing.T) {
	p := content(12, 9000)
	d := digest.FromBytes(p)
	for _, name := range slices.Sorted(maps.Keys(mem.Imitations())) {
		for _, last := range []int{0, 700} {
			for _, kind := range []driver.Kind{driver.Throttled, driver.Denied} {
				for nth := int64(1); ; nth++ {
					b := withoutInterval(name)
					id := patch(t, newRepository(t, newStore(t, b), "app"), begin(t, newRepository(t, newStore(t, b), "app")), p[:len(p)-last])
					var calls atomic.Int64
					o := options()
					o.Retry = retry.Policy{Attempts: 1, Base: time.Microsecond, Total: time.Millisecond}
					failing := newStoreWith(t, driver.Wrap(b, func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
						if calls.Add(1) >= nth {
							return driver.NewError(c.Op, c.Key, kind)
						}
						return next(ctx)
					}), o)
					err := sendPUT(newRepository(t, failing, "app"), id, d, p[len(p)-last:])
					if err == nil && calls.Load() < nth {
						break
					}
					// The answer was an error, or is lost.
					if err := sendPUT(newRepository(t, newStore(t, b), "app"), id, d, p[len(p)-last:]); err != nil {
						t.Fatalf("%s, %v from call %d on: the PUT that comes again: %v", name, kind, nth, err)
					}
					wantContent(t, newRepository(t, newStore(t, b), "app"), d, p)
				}
			}
		}
	}
}

// TestCancelled ends the context at every call of a push. Each returns promptly.
func TestCancelled(t *testing.T) {
	p := content(12, 9000)
	for n := int64(1); ; n++ {
		b := newBucket(t)
		ctx, cancel := context.WithCancel(t.Context())
		var calls atomic.Int64
		cancelling := driver.Wrap(b, func(ctx context.Context, _ *driver.Call, next func(context.Context) error) error {
			if calls.Add(1) == n {
				cancel()
			}
			return next(ctx)
		})
		s, err := blobstore.New(cancelling, blobstore.Options{
			Secret: []byte("secret"), PartSize: part, MemoryBudget: 1 << 20, Concurrency: 1, Log: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		err = pushPlain(ctx, newRepository(t, s, "app"), p)
		if took := time.Since(began); took > time.Second {
			t.Errorf("cancelled at call %d: returned after %v", n, took)
		}
		cancel()
		done := calls.Load() < n
		if err != nil && done {
			t.Errorf("not cancelled: %v", err)
		}
		_ = s.Close()
		if _, serr := s.Sweep(t.Context(), blobstore.SweepOptions{OlderThan: time.Nanosecond}); serr != nil {
			t.Errorf("cancelled at call %d: Sweep: %v", n, serr)
		}
		if got := keys(t, b); len(got) > 2 {
			t.Errorf("cancelled at call %d: the bucket has %q", n, got)
		}
		if done {
			return
		}
	}
}
