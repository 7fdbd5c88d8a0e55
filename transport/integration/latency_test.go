package integration_test

import (
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/blobdock/blobdock/integration/wire"
	"github.com/blobdock/blobdock/transport/internal/sample"
)

// TestLatency copies an image to a store that answers 20 ms late: into the bucket, and through
// distribution's registry on the same store, as skopeo does. What it costs is asserted in requests,
// and in how often they wait for each other; the time is told.
func TestLatency(t *testing.T) {
	empty, b := onS3(t), onS3(t)
	host := registry(t, stockProgram, b.stockEnv, b.stock)
	l := sample.New(t)
	var layers [][]byte
	for i := range 5 {
		layers = append(layers, sample.Layer(uint64(i), 100<<10))
	}
	l.Image("v1", "amd64", layers...)
	l.Image("warm", "amd64", sample.Layer(9, 10))
	copyImage(t, "oci:"+l.Dir+":warm", "docker://"+host+"/warm:v1")
	// Layers are copied side by side from a source that allows it, as registries do.
	upstream := registry(t, serveProgram, nil, map[string]any{"blobdock": map[string]any{"url": "mem://upstream"}})
	copyImage(t, "oci:"+l.Dir+":v1", "docker://"+upstream+"/app:v1")

	measure := func(b bucket, dst string) (wire.Counts, int, time.Duration) {
		var w waited
		b.proxy.Reset()
		b.proxy.Intercept(w.intercept(20 * time.Millisecond))
		defer b.proxy.Intercept(nil)
		began := time.Now()
		copyImage(t, "docker://"+upstream+"/app:v1", dst)
		return b.proxy.Counts(), w.waits(), time.Since(began)
	}
	direct, directWaits, directTook := measure(empty, "bucket:"+empty.url+"#app:v1")
	through, throughWaits, throughTook := measure(b, "docker://"+host+"/app:v1")
	t.Logf("into the bucket %s, %d waits, %v\nthrough distribution %s, %d waits, %v\nratio %.2f",
		direct, directWaits, directTook, through, throughWaits, throughTook, directTook.Seconds()/throughTook.Seconds())
	if 2*direct.Requests() > through.Requests() {
		t.Errorf("%d requests, and %d through distribution", direct.Requests(), through.Requests())
	}
	if 2*directWaits > throughWaits {
		t.Errorf("%d waits, and %d through distribution", directWaits, throughWaits)
	}
}

// waited is how often requests waited for each other: the most of them that were not under way
// at the same time.
type waited struct {
	mu    sync.Mutex
	calls []interval
}

type interval struct{ from, to time.Time }

// intercept lets each request take latency more.
func (w *waited) intercept(latency time.Duration) wire.Interceptor {
	return func(rw http.ResponseWriter, r *http.Request, store http.Handler) {
		from := time.Now()
		time.Sleep(latency)
		store.ServeHTTP(rw, r)
		w.mu.Lock()
		defer w.mu.Unlock()
		w.calls = append(w.calls, interval{from, time.Now()})
	}
}

func (w *waited) waits() (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	slices.SortFunc(w.calls, func(a, b interval) int { return a.to.Compare(b.to) })
	var last time.Time
	for _, c := range w.calls {
		if !c.from.Before(last) {
			n++
			last = c.to
		}
	}
	return n
}
