package registry_test

import (
	"net/http"
	"testing"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/driver/mem"
)

// TestPullThroughCache serves what another registry has, and what it had when that is gone. It
// says that it has no referrers, upon which clients ask for the fallback tag.
func TestPullThroughCache(t *testing.T) {
	upstream := serve(t, mem.New())
	c := clientOf(t, upstream, "a")
	m := c.image(digest.SHA256, nil)
	list := index(t, digest.SHA256, nil, m)
	s := c.artifact(typeA, &m.desc)
	c.push("v1", m)
	c.push("all", list)
	c.push(s.desc.Digest.String(), s)
	cache := clientOf(t, serveConfigured(t, mem.New(), func(c *configuration.Configuration) { c.Proxy.RemoteURL = upstream.URL }), "a")
	for range 2 {
		cache.has("v1", m)
		cache.has("all", list)
		cache.has(s.desc.Digest.String(), s)
		if resp, body := do(t, http.MethodGet, cache.base+"/referrers/"+m.desc.Digest.String(), nil, nil); resp.StatusCode != http.StatusNotFound {
			t.Errorf("referrers: %s: %s", resp.Status, body)
		}
		if resp, body := cache.put("v2", m); resp.StatusCode != http.StatusMethodNotAllowed {
			t.Errorf("PUT: %s: %s", resp.Status, body)
		}
		upstream.Close()
	}
}
