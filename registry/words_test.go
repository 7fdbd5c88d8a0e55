package registry_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/mem"
)

// TestNoWordsOfTheStore has each request fail by each kind of error of a store: no answer has the
// store's own words, its code, its request's id, or a key.
func TestNoWordsOfTheStore(t *testing.T) {
	kinds := []driver.Kind{
		driver.Unknown, driver.NotFound, driver.NoBucket, driver.Exists, driver.Mismatch, driver.Denied, driver.Throttled, driver.Unavailable,
		driver.Invalid, driver.TooLarge, driver.OutOfRange, driver.Corrupt, driver.Unsupported, driver.Full,
	}
	for _, kind := range kinds {
		t.Run(kind.String(), func(t *testing.T) {
			t.Parallel()
			var failing atomic.Bool
			b := driver.Wrap(mem.New(), func(ctx context.Context, call *driver.Call, next func(context.Context) error) error {
				if failing.Load() {
					return &driver.Error{Op: call.Op, Key: "docker/registry/v2/secret-key", Kind: kind, Code: "StoresCode", RequestID: "REQ1", Err: errors.New("words of the store")}
				}
				return next(ctx)
			})
			open := func(change func(*configuration.Configuration)) repoClient {
				srv := httptest.NewServer(configured(t, b, "retries=0&throttle_retries=0&lookup_ttl=0s", change))
				t.Cleanup(srv.Close)
				return clientOf(t, srv, "a")
			}
			plain := func(*configuration.Configuration) {}
			c := open(plain)
			m := c.image(digest.SHA256, nil)
			c.push("v1", m)
			layer := c.blob("", digest.SHA256, []byte("layer")).Digest
			for name, c := range map[string]repoClient{
				"the middleware":       open(plain),
				"the driver by itself": open(func(c *configuration.Configuration) { c.Middleware = nil }),
			} {
				resp, body := do(t, http.MethodPost, c.base+"/blobs/uploads/", nil, nil)
				if resp.StatusCode != http.StatusAccepted {
					t.Fatalf("POST: %s: %s", resp.Status, body)
				}
				at, err := resp.Request.URL.Parse(resp.Header.Get("Location"))
				if err != nil {
					t.Fatal(err)
				}
				root := c.base[:strings.LastIndex(c.base, "/")]
				failing.Store(true)
				for _, r := range []struct {
					method, at string
					header     map[string]string
					body       string
				}{
					{method: "GET", at: root + "/_catalog"},
					{method: "GET", at: c.base + "/tags/list"},
					{method: "GET", at: c.base + "/tags/list?n=1&last=a"},
					{method: "GET", at: c.base + "/manifests/v1"},
					{method: "HEAD", at: c.base + "/manifests/v1"},
					{method: "GET", at: c.base + "/manifests/" + m.desc.Digest.String()},
					{method: "GET", at: c.base + "/referrers/" + m.desc.Digest.String()},
					{method: "PUT", at: c.base + "/manifests/v2", header: map[string]string{"Content-Type": m.desc.MediaType}, body: string(m.content)},
					{method: "DELETE", at: c.base + "/manifests/" + m.desc.Digest.String()},
					{method: "DELETE", at: c.base + "/manifests/v1"},
					{method: "GET", at: c.base + "/blobs/" + layer.String()},
					{method: "GET", at: c.base + "/blobs/" + layer.String(), header: map[string]string{"Range": "bytes=1-2"}},
					{method: "DELETE", at: c.base + "/blobs/" + layer.String()},
					{method: "POST", at: c.base + "/blobs/uploads/"},
					{method: "POST", at: c.base + "/blobs/uploads/?mount=" + url.QueryEscape(layer.String()) + "&from=b"},
					{method: "GET", at: at.String()},
					{method: "PATCH", at: at.String(), body: "layer"},
					{method: "PUT", at: withDigest(at.String(), layer), body: "layer"},
					{method: "DELETE", at: at.String()},
				} {
					resp, body := do(t, r.method, r.at, r.header, bytes.NewReader([]byte(r.body)))
					for _, told := range []string{body, resp.Header.Get("Location"), resp.Header.Get("Warning")} {
						for _, own := range []string{"words of the store", "StoresCode", "REQ1", "secret-key", "docker/registry"} {
							if strings.Contains(told, own) {
								t.Errorf("%s, %s %s: %s: %q in %s", name, r.method, strings.TrimPrefix(r.at, root), resp.Status, own, told)
								break
							}
						}
					}
				}
				failing.Store(false)
			}
		})
	}
}
