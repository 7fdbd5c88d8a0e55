package integration_test

import (
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"
)

// waited is how often the requests of one client's request to a store waited for each other,
// by when each of them was under way: the most of them that were not under way at the same
// time.
type waited struct {
	mu    sync.Mutex
	calls []interval
}

type interval struct{ from, to time.Time }

// intercept lets each request take latency more.
func (w *waited) intercept(latency time.Duration) func(http.ResponseWriter, *http.Request, http.Handler) {
	return func(rw http.ResponseWriter, r *http.Request, store http.Handler) {
		from := time.Now()
		time.Sleep(latency)
		store.ServeHTTP(rw, r)
		w.mu.Lock()
		defer w.mu.Unlock()
		w.calls = append(w.calls, interval{from, time.Now()})
	}
}

// within is the number of waits of what ran between two moments.
func (w *waited) within(from, to time.Time) (waits int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	calls := slices.DeleteFunc(slices.Clone(w.calls), func(c interval) bool { return c.from.Before(from) || c.to.After(to) })
	slices.SortFunc(calls, func(a, b interval) int { return a.to.Compare(b.to) })
	var last time.Time
	for _, c := range calls {
		if !c.from.Before(last) {
			waits++
			last = c.to
		}
	}
	return waits
}

// TestWaits counts how often a push waits for a store that takes 20 ms for each request.
func TestWaits(t *testing.T) {
	onEach(t, func(t *testing.T, direct cloud) {
		c, proxy := direct.through(t)
		base := serving(t, c.env(t), byFile(t, c.bare(direct.newBucket(t)))).url
		push(t, base, "warm", content{kib, 1}, 0) // looks whether there is a bucket at all
		var w waited
		proxy.Intercept(w.intercept(20 * time.Millisecond))
		blob := content{64 * kib, 2}
		for _, tt := range []struct {
			name  string
			chunk int64
			want  int
		}{{"POST+PUT", 0, 1}, {"POST+PATCH+PUT", 64 * kib, 2}} {
			blob.seed++
			from := time.Now()
			push(t, base, "waits", blob, tt.chunk)
			if got := w.within(from, time.Now()); got != tt.want {
				t.Errorf("%s waited %d times, want %d", tt.name, got, tt.want)
			}
		}
	})
}
