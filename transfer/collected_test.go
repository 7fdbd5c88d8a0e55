package transfer_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/mem"
	"github.com/blobdock/blobdock/gc"
	"github.com/blobdock/blobdock/transfer"
)

// stores are those that garbage collection deletes on by versions: each object has one of its own, or
// equal bytes have the same.
var stores = map[string]func() driver.Bucket{
	"versions": newBucket,
	"no versions": func() driver.Bucket {
		o := mem.Imitations()["minio"]
		o.Parts = smallParts
		return mem.NewWith(o)
	},
}

// collecting is a source with an image, and a destination that has all its blobs as garbage, but no link.
type collecting struct {
	*testing.T
	src, dst driver.Bucket
	want     map[string]string
}

func newCollecting(t *testing.T, dst driver.Bucket) collecting {
	c := collecting{t, newBucket(), dst, nil}
	p := &pushes{TB: t, bucket: c.src}
	p.tag("app", "v1", p.image("app", nil, 300, 500).Digest)
	c.want = contents(t, c.src)
	for key, text := range c.want {
		if strings.HasSuffix(key, "/data") {
			write(t, c.dst, key, []byte(text))
		}
	}
	time.Sleep(48 * time.Hour)
	return c
}

// collect collects the destination's garbage, told of each phase that begins.
func (c collecting) collect(began func(gc.Phase)) gc.Summary {
	var last gc.Phase
	sum, err := gc.Run(c.Context(), c.dst, gc.Options{Log: slog.New(slog.DiscardHandler), Progress: func(p gc.Phase, _, _ int64) {
		if p != last {
			last = p
			began(p)
		}
	}})
	if err != nil {
		c.Errorf("gc: %v", err)
	}
	return sum
}

// wantCopied collects once more, and looks for all that was copied.
func (c collecting) wantCopied() {
	c.Helper()
	c.collect(func(gc.Phase) {})
	time.Sleep(48 * time.Hour)
	c.collect(func(gc.Phase) {})
	wantSame(c, contents(c, c.dst), c.want)
}

// TestCopyOfCondemned copies what a collector that is under way has condemned: it is rescued.
func TestCopyOfCondemned(t *testing.T) {
	for name, bucket := range stores {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCollecting(t, bucket())
				var copied sync.WaitGroup
				sum := c.collect(func(p gc.Phase) {
					if p != gc.Waiting {
						return
					}
					copied.Go(func() {
						time.Sleep(50 * time.Minute)
						// The collector marks, and would delete, between looking for the blobs and linking them.
						dst := between(c.dst, func() { time.Sleep(20 * time.Minute) })
						got, _, err := copies(t, c.src, dst, transfer.Options{Concurrency: 1})
						if err != nil || got.Blobs != 0 || got.BlobsThere != 4 {
							t.Errorf("%+v, %v", got, err)
						}
					})
				})
				copied.Wait()
				if sum.Unused != 4 || sum.Deleted != 0 {
					t.Errorf("gc: %+v", sum)
				}
				c.wantCopied()
			})
		})
	}
}

// between is a bucket that pauses its caller before the first link is written.
func between(b driver.Bucket, pause func()) driver.Bucket {
	var once sync.Once
	return driver.Wrap(b, func(ctx context.Context, call *driver.Call, next func(context.Context) error) error {
		if strings.HasSuffix(call.Key, "/link") && call.Body != nil {
			once.Do(pause)
		}
		return next(ctx)
	})
}

// TestCopyAroundCollection has a whole run of the collector while a copy pauses that has seen the
// blobs, and not written a link yet: they are copied.
func TestCopyAroundCollection(t *testing.T) {
	for name, bucket := range stores {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCollecting(t, bucket())
				got, problems, err := copies(t, c.src, between(c.dst, func() {
					if sum := c.collect(func(gc.Phase) {}); sum.Deleted != 4 {
						t.Errorf("gc: %+v", sum)
					}
				}), transfer.Options{Concurrency: 1})
				want := transfer.Summary{Blobs: 4, BlobsThere: 4, Links: 5, Tags: 1}
				want.Bytes, want.BytesThere = got.Bytes, got.Bytes
				if err != nil || len(problems) > 0 || got != want {
					t.Errorf("%+v, %v, %v", got, problems, err)
				}
				c.wantCopied()
			})
		})
	}
}

// TestCopyThatTakesTooLong can't tell what a collector takes away behind it.
func TestCopyThatTakesTooLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCollecting(t, newBucket())
		slow := driver.Wrap(c.dst, func(ctx context.Context, call *driver.Call, next func(context.Context) error) error {
			if strings.Contains(call.Key, "/repositories") {
				time.Sleep(2 * time.Hour)
			}
			return next(ctx)
		})
		if got, _, err := copies(t, c.src, slow, transfer.Options{}); !errors.Is(err, transfer.ErrUnsettled) || got.Tags != 1 || got.TagsThere != 0 {
			t.Errorf("%+v, %v", got, err)
		}
	})
}

// TestCopyFromCollected copies from where a blob is collected that was listed: nothing refers to it, and
// nothing is missing.
func TestCopyFromCollected(t *testing.T) {
	src, dst := registry(t), newBucket()
	orphan := digest.FromString("linked by none")
	gone := driver.Wrap(src, func(ctx context.Context, call *driver.Call, next func(context.Context) error) error {
		if call.Op == driver.OpOpen && call.Key == l.Blob(orphan) {
			if err := src.Delete(ctx, call.Key, driver.DeleteOptions{}); err != nil {
				t.Error(err)
			}
		}
		return next(ctx)
	})
	sum, problems, err := copies(t, gone, dst, transfer.Options{})
	if err != nil || len(problems) > 0 {
		t.Errorf("%+v, %v, %v", sum, problems, err)
	}
	wantSame(t, contents(t, dst), contents(t, src))
}
