package integration_test

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
)

// TestLazyPull reads a blob in many small ranges, several at a time, as clients
// do that start a container before its image is there. The registry looks the
// blob up once and signs once; all else is between client and store.
func TestLazyPull(t *testing.T) {
	onEach(t, func(t *testing.T, direct cloud) {
		const reads, length = 100, 10 * kib
		c, proxy := direct.through(t)
		base := serve(t, on(t, c, c.newBucket(t))).URL
		blob := content{4 * mib, 1}
		push(t, base, "lazy", blob, 0)
		at := base + "/v2/lazy/blobs/" + blob.digest().String()
		first := do(t, http.MethodGet, at, nil, nil).want(t, http.StatusTemporaryRedirect).location()

		proxy.Reset()
		var wg sync.WaitGroup
		for worker := range 4 {
			wg.Go(func() {
				for i := worker; i < reads; i += 4 {
					off := int64(i) * 40 * kib
					header := map[string]string{"Range": fmt.Sprintf("bytes=%d-%d", off, off+length-1)}
					res, err := send(t, http.MethodGet, at, header, nil, 0)
					if err != nil || res.StatusCode != http.StatusTemporaryRedirect || res.location() != first {
						t.Errorf("range at %d: %v, %v; want a redirect to the same URL", off, res.Response, err)
						return
					}
					res, err = send(t, http.MethodGet, res.location(), header, nil, 0)
					want := make([]byte, length)
					_, _ = blob.ReadAt(want, off)
					if err != nil || res.StatusCode != http.StatusPartialContent || res.body != string(want) {
						t.Errorf("range at %d: %v and %d bytes, want 206 and %d", off, err, len(res.body), length)
						return
					}
				}
			})
		}
		wg.Wait()
		if got := proxy.Counts(); got.Requests() != reads {
			t.Errorf("%v for %d ranges, want one each", got, reads)
		}
	})
}
