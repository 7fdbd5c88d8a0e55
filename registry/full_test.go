package registry_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/mem"
)

// TestStorageFull has the store run out of room in each request of a push. The client is
// told so, once and in our words, and the request that comes when there is room again
// succeeds.
func TestStorageFull(t *testing.T) {
	t.Parallel()
	const theirs = "drive 7 of host db-3 is full"
	for _, store := range []string{"minio", "gcs", "azure"} {
		t.Run(store, func(t *testing.T) {
			o := mem.Imitations()[store]
			o.KeyInterval = 0
			var full atomic.Bool
			var refused atomic.Int64
			b := driver.Wrap(mem.NewWith(o), func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
				if full.Load() && c.Op.Changes() && c.Op != driver.OpDelete && c.Op != driver.OpDeleteBatch && c.Op != driver.OpAbortUpload {
					refused.Add(1)
					return &driver.Error{Op: c.Op, Key: c.Key, Kind: driver.Full, Status: http.StatusInsufficientStorage, Code: "XMinioStorageFull", Err: errString(theirs)}
				}
				return next(ctx)
			})
			srv := serve(t, b)
			// send sends a request while the store is full, and again when it is not.
			send := func(want int, method, url string, header map[string]string, p []byte) string {
				t.Helper()
				full.Store(true)
				res, body := do(t, method, url, header, bytes.NewReader(p))
				full.Store(false)
				if res.StatusCode != http.StatusInsufficientStorage || res.Header.Get("Retry-After") != "" || !strings.Contains(body, "storage is full") || strings.Contains(body, "drive 7") {
					t.Errorf("%s: %s, Retry-After %q: %s", method, res.Status, res.Header.Get("Retry-After"), body)
				}
				res, body = do(t, method, url, header, bytes.NewReader(p))
				if res.StatusCode != want {
					t.Errorf("%s when there is room again: %s: %s", method, res.Status, body)
				}
				return res.Header.Get("Location")
			}
			small, large := content(100), content(20<<20)
			send(http.StatusCreated, http.MethodPut, withDigest(begin(t, srv, "a"), digest.FromBytes(small)), nil, small)
			send(http.StatusCreated, http.MethodPut, withDigest(begin(t, srv, "a"), digest.FromBytes(large)), nil, large)
			for _, p := range [][]byte{small[1:], large[1:]} {
				at := send(http.StatusAccepted, http.MethodPatch, begin(t, srv, "a"), nil, p)
				send(http.StatusCreated, http.MethodPut, withDigest(at, digest.FromBytes(p)), nil, nil)
			}
			manifest := []byte(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"` +
				digest.FromBytes(small).String() + `","size":100},"layers":[]}`)
			send(http.StatusCreated, http.MethodPut, srv.URL+"/v2/a/manifests/latest", map[string]string{"Content-Type": "application/vnd.oci.image.manifest.v1+json"}, manifest)
			if n := refused.Load(); n > 40 {
				t.Errorf("%d writes were refused: they are repeated", n)
			}
		})
	}
}

// errString is an error with a text.
type errString string

func (e errString) Error() string { return string(e) }

// TestTooLarge sends more than the store's largest object, and what the store finds too large
// although it says otherwise.
func TestTooLarge(t *testing.T) {
	largest := driver.PartLimits{MinSize: 1, MaxSize: 8 << 20, MaxParts: 100, MaxObject: 10 << 20, MaxPut: 10 << 20}
	refusing := driver.Wrap(mem.New(), func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
		if c.Op == driver.OpPut || c.Op == driver.OpPutPart {
			return &driver.Error{Op: c.Op, Key: c.Key, Kind: driver.TooLarge, Status: http.StatusRequestEntityTooLarge, Err: errString("nginx says so")}
		}
		return next(ctx)
	})
	p := content(12 << 20)
	for name, b := range map[string]driver.Bucket{"the store's limit": mem.NewWith(mem.Options{Parts: largest}), "the store's answer": refusing} {
		srv := serve(t, b)
		for method, url := range map[string]string{http.MethodPut: withDigest(begin(t, srv, "a/b"), digest.FromBytes(p)), http.MethodPatch: begin(t, srv, "a/b")} {
			for shape, body := range map[string]io.Reader{"length": bytes.NewReader(p), "chunked": struct{ io.Reader }{bytes.NewReader(p)}} {
				res, text := do(t, method, url, nil, body)
				if res.StatusCode != http.StatusRequestEntityTooLarge || res.Header.Get("Retry-After") != "" || strings.Contains(text, "nginx") {
					t.Errorf("%s: %s, %s: %s: %s", name, method, shape, res.Status, text)
				}
			}
		}
	}
}
