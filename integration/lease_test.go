package integration_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/friend"
)

// TestLease has replicas race for one lease.
func TestLease(t *testing.T) {
	onEach(t, func(t *testing.T, store cloud) {
		b := look(t, store, store.newBucket(t))
		var ran atomic.Int64
		var wg sync.WaitGroup
		for range 8 {
			s := engine(t, b, 0)
			wg.Go(func() {
				_, err := friend.Of(s).RunWithLease(t.Context(), "sweep", time.Hour, func(context.Context) error {
					ran.Add(1)
					time.Sleep(100 * time.Millisecond)
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		want := int64(1)
		if b.Features().Conds.Put != driver.AllConds {
			want = 8 // nothing keeps the others from it
		}
		if got := ran.Load(); got != want {
			t.Errorf("%d of 8 ran, want %d", got, want)
		}
	})
}
