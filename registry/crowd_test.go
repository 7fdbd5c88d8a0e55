package registry_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/mem"
)

// TestCrowd has a thousand clients pull an image at once, of a replica that has seen nothing of it:
// beyond the bytes of its layers that costs some twenty requests.
func TestCrowd(t *testing.T) {
	b := mem.New()
	c := clientOf(t, serve(t, b), "a")
	img := c.image(digest.SHA256, nil)
	layers := []v1.Descriptor{
		c.blob(v1.MediaTypeImageLayerGzip, digest.SHA256, []byte(strings.Repeat("1", 100<<10))),
		c.blob(v1.MediaTypeImageLayerGzip, digest.SHA256, []byte(strings.Repeat("2", 100<<10))),
	}
	c.push("latest", img)
	var requests atomic.Int64
	slow := driver.Wrap(b, func(ctx context.Context, call *driver.Call, next func(context.Context) error) error {
		if call.Op == driver.OpOpen && (call.Key == blobKey(layers[0].Digest) || call.Key == blobKey(layers[1].Digest)) {
			return next(ctx)
		}
		requests.Add(1)
		time.Sleep(20 * time.Millisecond)
		return next(ctx)
	})
	replica := handler(t, slow, "redirect=off")
	requests.Store(0) // what it has asked at its start
	get := func(path string) *httptest.ResponseRecorder {
		req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://registry/v2/a/"+path, nil)
		for k, v := range acceptAll {
			req.Header.Set(k, v)
		}
		rec := httptest.NewRecorder()
		replica.ServeHTTP(rec, req)
		if rec.Code != http.StatusOK {
			t.Errorf("GET %s: %d %s", path, rec.Code, rec.Body)
		}
		return rec
	}
	var crowd sync.WaitGroup
	for range 1000 {
		crowd.Go(func() {
			get("manifests/latest")
			for _, layer := range layers {
				if got := get("blobs/" + layer.Digest.String()).Body.Len(); int64(got) != layer.Size {
					t.Errorf("%d bytes of %d", got, layer.Size)
				}
			}
		})
	}
	crowd.Wait()
	const most = 30
	t.Logf("%d requests", requests.Load())
	if n := requests.Load(); n > most {
		t.Errorf("%d requests, want %d at most", n, most)
	}
}
