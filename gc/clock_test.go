package gc_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/mem"
	"github.com/blobdock/blobdock/gc"
)

// elsewhen is a bucket whose store has another time than this machine, and says so.
type elsewhen struct {
	driver.Bucket
	ahead time.Duration
}

func (e elsewhen) Features() driver.Features {
	f := e.Bucket.Features()
	f.Now = func() time.Time { return time.Now().Add(e.ahead) }
	return f
}

func (e elsewhen) Stat(ctx context.Context, key string) (driver.Object, error) {
	o, err := e.Bucket.Stat(ctx, key)
	o.ModTime = o.ModTime.Add(e.ahead)
	return o, err
}

func (e elsewhen) ListPage(ctx context.Context, q driver.ListRequest) (driver.Page[driver.Entry], error) {
	page, err := e.Bucket.ListPage(ctx, q)
	for i := range page.Items {
		page.Items[i].ModTime = page.Items[i].ModTime.Add(e.ahead)
	}
	return page, err
}

// TestClockOfMachine has this machine's clock be wrong, by days: ages are those of the store's.
func TestClockOfMachine(t *testing.T) {
	for _, ahead := range []time.Duration{-72 * time.Hour, -time.Minute, time.Minute, 72 * time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			b := elsewhen{mem.New(), ahead}
			r := newReplica(t, b)
			r.blob("app", v1.MediaTypeImageLayer, "old")
			time.Sleep(25 * time.Hour)
			young := r.blob("app", v1.MediaTypeImageLayer, "young")
			time.Sleep(23 * time.Hour)
			// The layer and its link.
			if sum := collect(t, b, gc.Options{}); sum.Deleted != 2 {
				t.Errorf("ahead by %v: %+v", ahead, sum)
			}
			if _, err := b.Stat(t.Context(), keys.Blob(young.Digest)); err != nil {
				t.Errorf("ahead by %v: %v", ahead, err)
			}
			_ = r.store.Close()
		})
	}
}
