package blobstore_test

import (
	"bytes"
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/fault"
	"github.com/blobdock/blobdock/driver/retry"
)

// TestFaults lets every call of a push fail, before, after and in mid-body, with
// and without retries. Whatever happens: a push that reports success is there
// with the right bytes, no digest ever has wrong ones, the push can be repeated,
// and a sweep leaves nothing behind.
func TestFaults(t *testing.T) {
	p := content(11, 9000)
	d := digest.FromBytes(p)
	for _, st := range stores {
		switch st.name {
		case "retarget", "rename", "copy", "part-copy", "stream":
		default:
			continue
		}
		for name, chunk := range map[string]int{"monolithic": 0, "stream": len(p), "chunked": 2500} {
			for _, attempts := range []int{1, 4} {
				label := st.name + "/" + name
				if attempts > 1 {
					label += "/retried"
				}
				t.Run(label, func(t *testing.T) {
					store := func(b driver.Bucket) *blobstore.Store {
						s, err := blobstore.New(driver.With(b, st.edit), blobstore.Options{
							PartSize: 2 << 10, MemoryBudget: 1 << 20, Concurrency: 2,
							Retry: retry.Policy{Attempts: attempts, Base: time.Microsecond},
							Log:   slog.New(slog.DiscardHandler),
						})
						if err != nil {
							t.Fatal(err)
						}
						return s
					}
					var pushed *blobstore.Store
					scenario := func(b driver.Bucket) error {
						pushed = store(b)
						return push(pushed, newRepository(t, pushed, "app"), p, chunk, d)
					}
					check := func(t *testing.T, b driver.Bucket, pt fault.Point, err error) {
						if pushed.Usage().Memory != 0 {
							t.Error("memory in use")
						}
						s := store(b)
						repo := newRepository(t, s, "app")
						if obj, serr := b.Stat(t.Context(), blobKey(d)); serr == nil && obj.Size != int64(len(p)) {
							t.Errorf("a blob of %d bytes shows, want %d", obj.Size, len(p))
						}
						if err == nil {
							if got, gerr := repo.Get(t.Context(), d); gerr != nil || !bytes.Equal(got, p) {
								t.Errorf("push succeeded, Get: %d bytes, %v", len(got), gerr)
							}
						}
						if perr := push(s, repo, p, chunk, d); perr != nil {
							t.Errorf("pushed again: %v", perr)
						}
						if got, gerr := repo.Get(t.Context(), d); gerr != nil || !bytes.Equal(got, p) {
							t.Errorf("pushed again, Get: %d bytes, %v", len(got), gerr)
						}
						if _, serr := s.Sweep(t.Context(), blobstore.SweepOptions{OlderThan: time.Nanosecond}); serr != nil {
							t.Errorf("Sweep: %v", serr)
						}
						if got := keys(t, b); len(got) != 2 {
							t.Errorf("after the sweep the bucket has %q, want a blob and a link", got)
						}
					}
					fault.EachPoint(t, func() driver.Bucket { return newBucket(t) }, scenario, check)
				})
			}
		}
	}
}

func blobKey(d digest.Digest) string {
	return "docker/registry/v2/blobs/" + d.Algorithm().String() + "/" + d.Encoded()[:2] + "/" + d.Encoded() + "/data"
}

// TestCancelled ends the context at every call of a push. Each returns promptly.
func TestCancelled(t *testing.T) {
	p := content(12, 9000)
	for n := int64(1); ; n++ {
		b := newBucket(t)
		ctx, cancel := context.WithCancel(t.Context())
		var calls atomic.Int64
		cancelling := driver.Wrap(driver.With(b, copyOnly), func(ctx context.Context, _ *driver.Call, next func(context.Context) error) error {
			if calls.Add(1) == n {
				cancel()
			}
			return next(ctx)
		})
		s, err := blobstore.New(cancelling, blobstore.Options{PartSize: 2 << 10, MemoryBudget: 1 << 20, Concurrency: 1, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		err = pushPlain(ctx, newRepository(t, s, "app"), p)
		if took := time.Since(began); took > time.Second {
			t.Errorf("cancelled at call %d: returned after %v", n, took)
		}
		cancel()
		if _, serr := s.Sweep(t.Context(), blobstore.SweepOptions{OlderThan: time.Nanosecond}); serr != nil {
			t.Errorf("cancelled at call %d: Sweep: %v", n, serr)
		}
		if got := keys(t, b); len(got) > 2 {
			t.Errorf("cancelled at call %d: the bucket has %q", n, got)
		}
		if calls.Load() < n {
			if err != nil {
				t.Errorf("not cancelled: %v", err)
			}
			return
		}
	}
}
