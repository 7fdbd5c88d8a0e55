package integration_test

import (
	"maps"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/integration/wire"
)

// TestMetrics compares what the program says that it has asked the store with what
// went over the wire.
func TestMetrics(t *testing.T) {
	t.Parallel()
	onAll(t, storesWith(t, unhurried()), func(t *testing.T, _ store, direct cloud) {
		c, proxy := direct.through(t)
		o := observing(t, c.env(t), c.bare(direct.newBucket(t))+smallParts)
		small, large := content{64 * kib, 1}, content{12 * mib, 2}
		push(t, o.url, "metrics", small, 0)
		push(t, o.url, "metrics", large, 4*mib)
		pull(t, o.url, "metrics", small.digest(), small.size)
		pull(t, o.url, "metrics", small.digest(), small.size)
		streamed := content{kib, 3} // too small to be redirected
		push(t, o.url, "metrics", streamed, 0)
		pull(t, o.url, "metrics", streamed.digest(), streamed.size)
		refuseTwice(t, o, proxy, small)
		wantOpen(t, o)

		costs := map[driver.Op]int64{}
		if isAzure(c) {
			costs = azureCosts
		}
		const followed = 2 // requests that are the client's own, at the URLs it was sent to
		var calls map[string]float64
		var sent wire.Counts
		// A streamed blob's call ends a little later than the client has it.
		within(10*time.Second, func() bool {
			calls, sent = o.by(t, "blobdock_storage_requests_total", "op"), proxy.Counts()
			return requests(calls, costs) == sent.Requests()-followed
		})
		if got := requests(calls, costs); got != sent.Requests()-followed {
			t.Errorf("%d requests by the metrics: %v\nand %d by the client, but by the proxy %v", got, calls, followed, sent)
		}
		timed := o.by(t, "blobdock_storage_request_duration_seconds", "op")
		if !maps.Equal(timed, calls) {
			t.Errorf("timed %v, of %v", timed, calls)
		}
		if n := o.by(t, "blobdock_storage_sent_bytes_total", "")[""]; n < float64(small.size+large.size+streamed.size) {
			t.Errorf("%v bytes sent, want no less than was pushed", n)
		}
		if got := o.by(t, "blobdock_storage_pulls_total", "redirect"); got["signed"] != 2 || got["small"] != 1 {
			t.Errorf("pulls %v, want 2 signed and 1 small", got)
		}
		if got := o.by(t, "blobdock_storage_signed_urls_total", "outcome")["ok"]; got != 1 {
			t.Errorf("%v URLs signed for two pulls of a blob, want 1", got)
		}
	})
}

// refuseTwice has the store be out of order for two requests.
func refuseTwice(t *testing.T, o observed, proxy *wire.Proxy, c content) {
	t.Helper()
	var n atomic.Int64
	proxy.Intercept(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if n.Add(1) <= 2 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		next.ServeHTTP(w, r)
	})
	defer proxy.Intercept(nil)
	do(t, http.MethodHead, o.url+"/v2/metrics/blobs/"+c.digest().String(), nil, nil).want(t, http.StatusOK)
	refused := o.by(t, "blobdock_storage_requests_total", "outcome")
	if refused["throttled"]+refused["store unavailable"] != 2 {
		t.Errorf("calls ended so: %v, want 2 that the store refused", refused)
	}
	if got := o.by(t, "blobdock_storage_retries_total", "")[""]; got != 2 {
		t.Errorf("%v retries, want 2", got)
	}
}

// wantOpen looks at the gauges while an upload goes on.
func wantOpen(t *testing.T, o observed) {
	t.Helper()
	want := func(uploads float64, memory bool) {
		t.Helper()
		var open, used float64
		if !within(10*time.Second, func() bool {
			open, used = o.by(t, "blobdock_uploads_open", "")[""], o.by(t, "blobdock_memory_used_bytes", "")[""]
			return open == uploads && used > 0 == memory
		}) {
			t.Errorf("%v uploads open with %v bytes of memory, want %v and memory %v", open, used, uploads, memory)
		}
	}
	c := content{mib, 4}
	conn := unfinished(t, begin(t, o.url, "open"), c, 0, c.size/2)
	want(1, true)
	conn.Close()
	want(0, false)
	if budget := o.by(t, "blobdock_memory_budget_bytes", "")[""]; budget != 256<<20 {
		t.Errorf("a budget of %v bytes, want that of one store", budget)
	}
}

// requests is how many the calls took, by operation.
func requests(calls map[string]float64, costs map[driver.Op]int64) (n int) {
	for op, count := range calls {
		cost, ok := costs[driver.Op(op)]
		if !ok {
			cost = 1
		}
		n += int(count) * int(cost)
	}
	return n
}
