package registry_test

import (
	"bytes"
	"net/http"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/fault"
	"github.com/blobdock/blobdock/driver/mem"
)

// TestManifestFaults has the store fail. No client is told that something is not there, nor
// what the store's keys are.
func TestManifestFaults(t *testing.T) {
	b := mem.New()
	c := clientOf(t, serve(t, b), "a")
	m := c.image(digest.SHA256, nil)
	s := c.artifact(typeA, &m.desc)
	c.push("v1", m)
	c.push(s.desc.Digest.String(), s)
	d := m.desc.Digest.String()
	for kind, want := range map[driver.Kind]int{
		driver.Unavailable: http.StatusServiceUnavailable, driver.Throttled: http.StatusTooManyRequests,
		driver.Denied: http.StatusServiceUnavailable, driver.Corrupt: http.StatusInternalServerError,
	} {
		srv := serveWith(t, fault.Wrap(b, fault.Script{{Kind: kind}}), "retries=0&throttle_retries=0&retry_total=1ms")
		for _, tt := range []struct{ method, path string }{
			{http.MethodGet, "/manifests/v1"}, {http.MethodHead, "/manifests/v1"}, {http.MethodGet, "/manifests/" + d},
			{http.MethodHead, "/manifests/" + d}, {http.MethodGet, "/tags/list"}, {http.MethodGet, "/referrers/" + d},
			{http.MethodPut, "/manifests/v2"}, {http.MethodPut, "/manifests/" + d + "?tag=v2"},
			{http.MethodDelete, "/manifests/v1"}, {http.MethodDelete, "/manifests/" + d},
		} {
			header := map[string]string{"Accept": acceptAll["Accept"]}
			body := bytes.NewReader(nil)
			if tt.method == http.MethodPut {
				header["Content-Type"], body = m.desc.MediaType, bytes.NewReader(m.content)
			}
			if kind == driver.Corrupt && tt.method == http.MethodGet && strings.HasPrefix(tt.path, "/referrers") {
				continue // a damaged fallback tag is none, and the listing is not the store's to damage
			}
			resp, text := do(t, tt.method, srv.URL+"/v2/a"+tt.path, header, body)
			if resp.StatusCode != want || strings.Contains(text, "docker/registry") {
				t.Errorf("%s: %s %s: %s, want %d: %s", kind, tt.method, tt.path, resp.Status, want, text)
			}
			if want == http.StatusTooManyRequests && resp.Header.Get("Retry-After") == "" {
				t.Errorf("%s %s: no Retry-After", tt.method, tt.path)
			}
		}
	}
	c.has("v1", m)
	c.refer(m.desc.Digest, "", s)
}
