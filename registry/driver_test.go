package registry_test

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/mem"
	"github.com/blobdock/blobdock/registry"
)

// newDriver makes a storage driver on b.
func newDriver(t testing.TB, b driver.Bucket) *registry.Driver {
	t.Helper()
	return registry.NewDriver(newStore(t, b))
}

func newStore(t testing.TB, b driver.Bucket) *blobstore.Store {
	t.Helper()
	s, err := blobstore.New(b, blobstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestMoveLooks has a store say that it has copied, and copy a part of it.
func TestMoveLooks(t *testing.T) {
	const from, to = "/docker/registry/v2/repositories/app/_uploads/1/other", "/docker/registry/v2/blobs/sha256/aa/aabb/other"
	b := mem.New()
	short := driver.WithFeatures(b, func(f *driver.Features) {
		f.Concat = nil
		f.Copy = func(ctx context.Context, r driver.CopyRequest) (driver.Object, error) {
			obj, err := b.Put(ctx, r.Dst, io.NewSectionReader(strings.NewReader("te"), 0, 2), r.Options)
			obj.Size = -1 // as of stores that do not tell
			return obj, err
		}
	})
	if err := newDriver(t, b).PutContent(t.Context(), from, []byte("text")); err != nil {
		t.Fatal(err)
	}
	err := newDriver(t, short).Move(t.Context(), from, to)
	if got, there := newDriver(t, b).GetContent(t.Context(), from); err == nil || there != nil || string(got) != "text" {
		t.Errorf("Move: %v, source %q, %v", err, got, there)
	}
}

// TestMoveOntoItself moves a file to where it is, which changes nothing, as rename has it.
func TestMoveOntoItself(t *testing.T) {
	const path = "/docker/registry/v2/repositories/app/_uploads/1/other"
	for name, o := range mem.Imitations() {
		o.KeyInterval = 0
		d := newDriver(t, mem.NewWith(o))
		if err := d.PutContent(t.Context(), path, []byte("text")); err != nil {
			t.Fatal(err)
		}
		err := d.Move(t.Context(), path, path)
		if got, there := d.GetContent(t.Context(), path); err != nil || there != nil || string(got) != "text" {
			t.Errorf("%s: Move: %v; then %q, %v", name, err, got, there)
		}
	}
}

// TestMoveTwice has another Move of the same file be faster.
func TestMoveTwice(t *testing.T) {
	const from, to = "/docker/registry/v2/repositories/app/_uploads/1/other", "/docker/registry/v2/blobs/sha256/aa/aabb/other"
	b := mem.New()
	if err := newDriver(t, b).PutContent(t.Context(), from, []byte("text")); err != nil {
		t.Fatal(err)
	}
	moved := false
	slow := driver.Wrap(b, func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
		if !moved && c.Op.Changes() {
			moved = true
			if err := newDriver(t, b).Move(ctx, from, to); err != nil {
				t.Error(err)
			}
		}
		return next(ctx)
	})
	if err := newDriver(t, slow).Move(t.Context(), from, to); err != nil || !moved {
		t.Errorf("moved %t, the second: %v", moved, err)
	}
	if got, err := newDriver(t, b).GetContent(t.Context(), to); string(got) != "text" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

// TestMove moves a file on the imitation of each store. The replies to one call, whichever,
// may be lost: a Move that reports success has taken effect, and one whose source is gone
// reports success.
func TestMove(t *testing.T) {
	const from, to = "/docker/registry/v2/repositories/app/_uploads/1/other", "/docker/registry/v2/blobs/sha256/aa/aabb/other"
	for name, o := range mem.Imitations() {
		o.KeyInterval = 0
		for nth := range 4 {
			t.Run(fmt.Sprintf("%s/%d", name, nth), func(t *testing.T) {
				b := mem.NewWith(o)
				if err := newDriver(t, b).PutContent(t.Context(), from, []byte("text")); err != nil {
					t.Fatal(err)
				}
				calls := 0
				lossy := driver.Wrap(b, func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
					err := next(ctx)
					if calls++; calls == nth && err == nil && c.Op.Changes() {
						return &driver.Error{Op: c.Op, Key: c.Key, Kind: driver.Unavailable, OutcomeUnknown: true}
					}
					return err
				})
				err := newDriver(t, lossy).Move(t.Context(), from, to)
				_, gone := newDriver(t, b).Stat(t.Context(), from)
				got, there := newDriver(t, b).GetContent(t.Context(), to)
				if nth == 0 && err != nil || err == nil && (gone == nil || string(got) != "text") || err != nil && gone != nil {
					t.Errorf("Move: %v, source %v, destination %q, %v", err, gone, got, there)
				}
			})
		}
	}
}

// TestMoveOrphan has a process die at each call of a Move that copies in parts, on a store
// that lists multipart uploads by their exact key alone. A sweep finds what is left.
func TestMoveOrphan(t *testing.T) {
	const from, to = "/docker/registry/v2/repositories/app/_uploads/1/data", "/docker/registry/v2/blobs/sha256/aa/aabb/data"
	o := mem.Imitations()["minio"]
	o.CopyMax, o.Parts = 100, driver.PartLimits{MinSize: 1}
	for n, more := 1, true; more; n++ {
		synctest.Test(t, func(t *testing.T) {
			b := driver.WithFeatures(mem.NewWith(o), func(f *driver.Features) {
				f.UploadsByKey, f.Copying = true, driver.CopyPlan{PartSize: 200, Concurrency: 2}
			})
			if err := newDriver(t, b).PutContent(t.Context(), from, make([]byte, 500)); err != nil {
				t.Fatal(err)
			}
			var calls, parts atomic.Int32
			dying := newStore(t, driver.Wrap(b, func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
				if c.Op == driver.OpCopyPart {
					parts.Add(1)
				}
				if calls.Add(1) > int32(n) {
					return &driver.Error{Op: c.Op, Key: c.Key, Kind: driver.Denied}
				}
				return next(ctx)
			}))
			err := registry.NewDriver(dying).Move(t.Context(), from, to)
			_ = dying.Close()
			more = err != nil
			if !more && parts.Load() != 3 {
				t.Errorf("%d parts were copied, want 3", parts.Load())
			}
			time.Sleep(time.Hour)
			if _, err := newStore(t, b).Sweep(t.Context(), blobstore.SweepOptions{OlderThan: time.Minute}); err != nil {
				t.Error(err)
			}
			for u, err := range driver.ListUploads(t.Context(), b, driver.ListRequest{}) {
				t.Errorf("call %d: a multipart upload to %s is left (%v)", n, u.Key, err)
			}
			for e, err := range driver.List(t.Context(), b, driver.ListRequest{Prefix: "docker/registry/v2/_uploads/"}) {
				t.Errorf("call %d: %s is left (%v)", n, e.Key, err)
			}
		})
	}
}
