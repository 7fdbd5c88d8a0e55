package integration_test

import (
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
)

// slowDown is how S3 throttles.
// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
const slowDown = `<?xml version="1.0" encoding="UTF-8"?><Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>`

// TestThrottledStore pushes to a store that serves so many requests at once and
// refuses all others. Clients see nothing of it, and the store gets fewer requests
// rather than the more.
func TestThrottledStore(t *testing.T) {
	t.Parallel()
	store := clouds[0].open(t)
	bucket := store.newBucket(t)
	limited, proxy := store.through(t)
	const enough, pushes, blobs = 4, 16, 4
	var underway, served, refused atomic.Int64
	proxy.Intercept(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		defer underway.Add(-1)
		if underway.Add(1) > enough {
			refused.Add(1)
			w.Header().Set("Content-Type", "application/xml")
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = w.Write([]byte(slowDown))
			return
		}
		served.Add(1)
		next.ServeHTTP(w, r)
	})
	base := serve(t, on(t, limited, bucket)).URL
	var wg sync.WaitGroup
	for i := range pushes {
		wg.Go(func() {
			for j := range blobs {
				if err := stream(t, base, "throttled", content{100 * kib, uint64(i*blobs + j)}, true); err != nil {
					t.Errorf("push %d of client %d: %v", j, i, err)
				}
			}
		})
	}
	wg.Wait()
	proxy.Intercept(nil)
	t.Logf("%d requests were served, %d refused", served.Load(), refused.Load())
	if refused.Load() == 0 || refused.Load() > served.Load()/2 {
		t.Errorf("%d requests were refused, %d served: want some, and fewer than half as many", refused.Load(), served.Load())
	}
	for i := range pushes * blobs {
		c := content{100 * kib, uint64(i)}
		pull(t, base, "throttled", c.digest(), c.size)
	}
}
