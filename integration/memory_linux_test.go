package integration_test

import (
	"net/http"
	"sync"
	"testing"
	"time"
)

// TestMemory pushes many large blobs at once through one process. Its memory stays
// within the budget for part buffers and 128 MiB for everything else. Without the
// budget each push would have four parts and more in memory, and all of them
// several times as much as is allowed.
func TestMemory(t *testing.T) {
	t.Parallel()
	// The stores differ in nothing that matters here, so one is enough for the default
	// budget, and for a run that is not full.
	on := clouds[:1]
	if full() {
		on = stores(t)
	}
	onAll(t, on, func(t *testing.T, _ store, store cloud) {
		pushes, size, budget := 6, 32*mib, 32*mib
		storage := store.bare(store.newBucket(t))
		if _, ok := store.(s3Cloud); ok {
			pushes, size, budget = 32, 16*mib, 256*mib
			if full() && !underLaws(store) {
				size = 256 * mib
			}
		} else {
			storage += "&memory_budget=32MiB"
		}
		p := serving(t, store.env(t), byFlags(storage))
		began := time.Now()
		var wg sync.WaitGroup
		errs := make([]error, pushes)
		for i := range pushes {
			wg.Go(func() { errs[i] = stream(t, p.url, "memory", content{size, uint64(i)}, i%2 == 0) })
		}
		wg.Wait()
		took := time.Since(began)
		for i, err := range errs {
			if err != nil {
				t.Errorf("push %d: %v\n%s", i, err, p.stderr.String())
			}
		}
		peak, limit := p.peak(), budget+128*mib
		t.Logf("%d pushes of %d MiB at once: peak RSS %d MiB in %.0f s, %.0f MB/s",
			pushes, size/mib, peak/mib, took.Seconds(), float64(int64(pushes)*size)/1e6/took.Seconds())
		if peak == 0 || peak > limit {
			t.Errorf("peak RSS %d MiB, want at most %d MiB", peak/mib, limit/mib)
		}
		wantPushed(t, p.url+"/v2/memory", pushes, size)
	})
}

// wantPushed looks whether a repository has so many blobs of that size.
func wantPushed(t *testing.T, repo string, pushes int, size int64) {
	t.Helper()
	for i := range pushes {
		c := content{size, uint64(i)}
		res := do(t, http.MethodHead, repo+"/blobs/"+c.digest().String(), nil, nil).want(t, http.StatusOK)
		if res.ContentLength != size {
			t.Errorf("push %d: the blob has %d bytes, want %d", i, res.ContentLength, size)
		}
	}
}
