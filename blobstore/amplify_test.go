package blobstore_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/meter"
)

// TestTinyPATCH sends almost a part, and then single bytes, each to a replica that knows
// nothing, or to the same one. None makes the store move the whole tail.
func TestTinyPATCH(t *testing.T) {
	const n = 100
	for _, name := range []string{"minio", "r2", "gcs"} {
		for _, fresh := range []bool{true, false} {
			synctest.Test(t, func(t *testing.T) {
				var calls meter.Counter
				b := meter.Wrap(imitation(name), calls.Observe)
				o := options()
				o.PartSize, o.MemoryBudget = 64<<10, 1<<20
				s := newStoreWith(t, b, o)
				repo := newRepository(t, s, "app")
				p := content(1, 60<<10)
				id := patch(t, repo, begin(t, repo), p[:len(p)-n])
				calls.Reset()
				for i := range n {
					if fresh {
						repo = newRepository(t, newStoreWith(t, b, o), "app")
					}
					id = patch(t, repo, id, p[len(p)-n+i:len(p)-n+i+1])
				}
				total := calls.Total()
				if sent := total.Sent; sent > n*(6<<10) || total.Received > n*(6<<10) {
					t.Errorf("%s, replicas that know nothing: %v: %d PATCHes of a byte: %d bytes sent, %d received", name, fresh, n, sent, total.Received)
				}
				if err := sendPUT(repo, id, digest.FromBytes(p), nil); err != nil {
					t.Fatal(err)
				}
				wantContent(t, repo, digest.FromBytes(p), p)
			})
		}
	}
}

// TestOneWritePerKey pushes many blobs at once to stores that take one write of a key in a
// second. None of them is throttled.
func TestOneWritePerKey(t *testing.T) {
	for _, name := range []string{"r2", "gcs"} {
		for _, chunk := range []int{0, 1000, 9000} {
			synctest.Test(t, func(t *testing.T) {
				var calls meter.Counter
				s := newStore(t, meter.Wrap(imitation(name), calls.Observe))
				began := time.Now()
				var wg sync.WaitGroup
				for i := range uint64(40) {
					wg.Go(func() {
						p := content(i, 9000)
						if err := push(newRepository(t, s, "app"), p, chunk, digest.FromBytes(p)); err != nil {
							t.Error(err)
						}
					})
				}
				wg.Wait()
				if took := time.Since(began); took != 0 {
					t.Errorf("%s, by %d: pushes waited for %v", name, chunk, took)
				}
			})
		}
	}
}

// TestHotBlob pushes one blob by many clients at once, as the empty config of artifacts is.
func TestHotBlob(t *testing.T) {
	onEachStore(t, func(t *testing.T, newBucket func() driver.Bucket) {
		b := newBucket()
		var stores []*blobstore.Store
		var wg sync.WaitGroup
		for i := range 20 {
			if i < 3 {
				stores = append(stores, newStore(t, b))
			}
			repo := newRepository(t, stores[i%3], "app")
			wg.Go(func() {
				if err := push(repo, []byte("{}"), 0, digest.FromString("{}")); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		wantContent(t, newRepository(t, stores[0], "app"), digest.FromString("{}"), []byte("{}"))
		wantKeys(t, b, 2, stores...)
	})
}
