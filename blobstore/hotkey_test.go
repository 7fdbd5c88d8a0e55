package blobstore_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/retry"
	"github.com/blobdock/blobdock/internal/friend"
)

// patient is a replica on b that repeats as registries do.
func patient(t *testing.T, b driver.Bucket) *blobstore.Store {
	t.Helper()
	o := options()
	o.Retry = retry.Policy{}
	return newStoreWith(t, b, o)
}

// TestHotKey changes one key several times within a second, as those who push one tag at
// once do. On stores that take one change in a second the changes wait for one another.
func TestHotKey(t *testing.T) {
	for _, name := range []string{"gcs", "r2"} {
		for _, writers := range []int{2, 3, 5} {
			synctest.Test(t, func(t *testing.T) {
				s := patient(t, imitation(name))
				b := s.Bucket()
				began := time.Now()
				var wg sync.WaitGroup
				for i := range writers {
					wg.Go(func() {
						body := io.NewSectionReader(bytes.NewReader([]byte{byte(i)}), 0, 1)
						if _, err := b.Put(t.Context(), "docker/registry/v2/tag", body, driver.WriteOptions{}); err != nil {
							t.Errorf("%s: %v", name, err)
						}
					})
				}
				wg.Go(func() {
					body := io.NewSectionReader(bytes.NewReader(nil), 0, 0)
					if _, err := b.Put(t.Context(), "docker/registry/v2/other", body, driver.WriteOptions{}); err != nil {
						t.Errorf("%s: %v", name, err)
					}
					if waited := time.Since(began); waited != 0 {
						t.Errorf("%s: the write to another key took %v", name, waited)
					}
				})
				wg.Wait()
				t.Logf("%s: %d writers: %v", name, writers, time.Since(began))
				if took, least := time.Since(began), time.Duration(writers-1)*time.Second; took < least {
					t.Errorf("%s: %d writes took %v, want at least %v", name, writers, took, least)
				}
				if err := b.Delete(t.Context(), "docker/registry/v2/tag", driver.DeleteOptions{}); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			})
		}
	}
}

// TestHotLease has a lease taken and given back within a moment, where a key takes one
// change in a second, and in an outage.
func TestHotLease(t *testing.T) {
	do := func(context.Context) error { return nil }
	for _, name := range []string{"gcs", "r2"} {
		synctest.Test(t, func(t *testing.T) {
			s := patient(t, imitation(name))
			for range 3 {
				lease, err := friend.Of(s).RunWithLease(t.Context(), "sweep", 0, do)
				if err != nil || !lease.Ran {
					t.Errorf("%s: got %+v, %v", name, lease, err)
				}
			}
		})
	}
	for _, executed := range []bool{false, true} {
		for _, outage := range []time.Duration{time.Nanosecond, 50 * time.Millisecond, 300 * time.Millisecond} {
			synctest.Test(t, func(t *testing.T) {
				over := time.Now().Add(outage)
				b := driver.Wrap(newBucket(t), func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
					if c.Op != driver.OpPut || time.Now().After(over) {
						return next(ctx)
					}
					if executed {
						_ = next(ctx)
					}
					return &driver.Error{Op: c.Op, Key: c.Key, Kind: driver.Unavailable, Status: http.StatusServiceUnavailable, OutcomeUnknown: true}
				})
				ran := 0
				lease, err := friend.Of(patient(t, b)).RunWithLease(t.Context(), "sweep", time.Hour, func(context.Context) error {
					ran++
					over = time.Now().Add(outage) // when it is given back
					return nil
				})
				if err != nil || !lease.Ran || ran != 1 {
					t.Errorf("outage of %v, executed %v: got %+v, %v", outage, executed, lease, err)
				}
				lease, err = friend.Of(patient(t, b)).RunWithLease(t.Context(), "sweep", time.Hour, do)
				if err != nil || lease.Ran {
					t.Errorf("outage of %v, executed %v: it was not given back as done: %+v, %v", outage, executed, lease, err)
				}
			})
		}
	}
}
