package integration_test

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"
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

// TestWaits counts how often a push waits for a store that takes 200 ms for each request: on a busy
// machine two requests begin some time after each other.
func TestWaits(t *testing.T) {
	onEach(t, func(t *testing.T, direct cloud) {
		c, proxy := direct.through(t)
		bucket := direct.newBucket(t)
		base := serving(t, c.env(t), byFile(t, c.bare(bucket))).url
		other := serving(t, c.env(t), byFile(t, c.bare(bucket))).url
		push(t, base, "warm", content{kib, 1}, 0) // looks whether there is a bucket at all
		push(t, other, "warm", content{kib, 1}, 0)
		var w waited
		proxy.Intercept(w.intercept(200 * time.Millisecond))
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
		manifestWaits(t, base, other, &w)
	})
}

// manifestWaits pushes a manifest whose blobs have just been pushed, and pulls it, then from
// a replica that knows nothing of it.
func manifestWaits(t *testing.T, base, other string, w *waited) {
	t.Helper()
	blob := content{kib, 9}
	push(t, base, "waits", blob, 0)
	manifest := fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"config":{"mediaType":"application/vnd.oci.empty.v1+json","digest":%q,"size":%d},"layers":[]}`,
		v1.MediaTypeImageManifest, blob.digest(), blob.size)
	header := map[string]string{"Content-Type": v1.MediaTypeImageManifest, "Accept": v1.MediaTypeImageManifest}
	for _, tt := range []struct {
		name, base, method, body string
		status, want             int
	}{
		{"PUT of a manifest", base, http.MethodPut, manifest, http.StatusCreated, 2},
		{"GET by tag", base, http.MethodGet, "", http.StatusOK, 1},
		{"GET by tag from another replica", other, http.MethodGet, "", http.StatusOK, 2},
	} {
		from := time.Now()
		do(t, tt.method, tt.base+"/v2/waits/manifests/v1", header, io.NewSectionReader(strings.NewReader(tt.body), 0, int64(len(tt.body)))).want(t, tt.status)
		if got := w.within(from, time.Now()); got != tt.want {
			t.Errorf("%s waited %d times, want %d", tt.name, got, tt.want)
		}
	}
}
