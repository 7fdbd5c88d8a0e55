package integration_test

import (
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"
)

// TestCutNetwork pushes over a network to the store that cuts some connections and
// has others stand still. Every push ends in bounded time, by success or a 503; what
// succeeded is there, and the process holds on to nothing afterwards.
func TestCutNetwork(t *testing.T) {
	t.Parallel()
	store := clouds[0].open(t)
	bucket := store.newBucket(t)
	bad, proxy := store.through(t)
	debug := freeAddr(t)
	p := serving(t, append(store.env(t), "REGISTRY_HTTP_DEBUG_ADDR="+debug), byFile(t, bad.bare(bucket)+smallParts+"&stall_timeout=500ms"))
	before := goroutines(t, debug)

	over := make(chan struct{})
	proxy.Intercept(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		switch rand.IntN(6) {
		case 0:
			panic(http.ErrAbortHandler) // before the store gets it
		case 1:
			<-over
		default:
			next.ServeHTTP(w, r)
		}
	})
	const pushes = 24
	done := make([]bool, pushes)
	var wg sync.WaitGroup
	for i := range pushes {
		wg.Go(func() {
			began := time.Now()
			done[i] = stream(t, p.url, "cut", content{int64(1+i%3) * 4 * mib, uint64(i)}, i%2 == 0) == nil
			if took := time.Since(began); took > time.Minute { // a call that hangs does so until the end
				t.Errorf("push %d took %v", i, took)
			}
		})
	}
	wg.Wait()
	close(over)
	proxy.Intercept(nil)
	succeeded := 0
	for i, ok := range done {
		if ok {
			c := content{int64(1+i%3) * 4 * mib, uint64(i)}
			pull(t, p.url, "cut", c.digest(), c.size)
			succeeded++
		}
	}
	t.Logf("%d of %d pushes succeeded", succeeded, pushes)
	if succeeded == 0 {
		t.Error("no push succeeded, though calls are repeated")
	}
	push(t, p.url, "cut", content{20 * mib, 99}, 0)
	wantSettled(t, debug, before)
	wantSound(t, look(t, store, bucket))
}
