package registry_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/mem"
	"github.com/blobdock/blobdock/internal/layout"
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

// TestPullThroughCacheEviction pulls a blob that the cache has removed for one repository while
// another still has a link to it: distribution evicts the link of one repository and the
// content of all. The cache must ask the other registry for it again.
func TestPullThroughCacheEviction(t *testing.T) {
	upstream := serve(t, mem.New())
	c := clientOf(t, upstream, "a")
	var layer digest.Digest
	m := c.image(digest.SHA256, func(m *v1.Manifest) { layer = m.Layers[0].Digest })
	c.push("v1", m)
	b := driver.WithFeatures(mem.New(), func(f *driver.Features) { f.Sign = signer })
	replica := func() repoClient {
		srv := httptest.NewServer(configured(t, b, "redirect_min_size=1", func(c *configuration.Configuration) { c.Proxy.RemoteURL = upstream.URL }))
		t.Cleanup(srv.Close)
		return clientOf(t, srv, "a")
	}
	pull := func(cache repoClient, want int) {
		t.Helper()
		cache.has("v1", m)
		if resp, body := do(t, http.MethodGet, cache.base+"/blobs/"+layer.String(), nil, nil); resp.StatusCode != want {
			t.Errorf("GET of the layer: %s, want %d: %s", resp.Status, want, body)
		}
	}
	pull(replica(), http.StatusOK) // from the other registry
	pull(replica(), http.StatusTemporaryRedirect)
	if err := b.Delete(t.Context(), layout.Layout{Root: layout.DefaultRoot}.Blob(layer), driver.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	pull(replica(), http.StatusOK)
}

// TestPullThroughCacheReadOnly hands on what the other registry has and stores nothing of it,
// and still serves what the cache had before it was made read-only.
func TestPullThroughCacheReadOnly(t *testing.T) {
	upstream := serve(t, mem.New())
	c := clientOf(t, upstream, "a")
	layers := make(map[string][]v1.Descriptor)
	image := func(name string) pushed {
		return c.image(digest.SHA256, func(m *v1.Manifest) { layers[name] = m.Layers })
	}
	old, young := image("old"), image("young")
	c.push("old", old)
	b := mem.New()
	replica := func(frozen bool) repoClient {
		srv := serveConfigured(t, b, func(c *configuration.Configuration) {
			c.Proxy.RemoteURL = upstream.URL
			c.Storage["maintenance"]["readonly"] = map[any]any{"enabled": frozen}
		})
		return clientOf(t, srv, "a")
	}
	pull := func(cache repoClient, tag string, m pushed) {
		t.Helper()
		cache.has(tag, m)
		for _, l := range layers[tag] {
			if resp, body := do(t, http.MethodGet, cache.base+"/blobs/"+l.Digest.String(), nil, nil); resp.StatusCode != http.StatusOK {
				t.Errorf("GET of a layer of %s: %s: %s", tag, resp.Status, body)
			}
		}
	}
	pull(replica(false), "old", old)
	keys := func() (all []string) {
		for e, err := range driver.List(t.Context(), b, driver.ListRequest{}) {
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, fmt.Sprint(e.Key, e.ModTime))
		}
		return all
	}
	had := keys()
	c.push("young", young)
	frozen := replica(true)
	pull(frozen, "young", young)
	pull(frozen, "old", old)
	if diff := cmp.Diff(had, keys()); diff != "" {
		t.Errorf("it stores (-before +after):\n%s", diff)
	}
	upstream.Close()
	pull(frozen, "old", old)
}
