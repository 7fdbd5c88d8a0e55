package registry_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/mem"
)

// TestConformancePushAndPull pushes each kind of manifest by tag and by digest, and pulls it,
// as the suite does with its data.
func TestConformancePushAndPull(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, b driver.Bucket) {
		c := clientOf(t, serve(t, b), "conf/push")
		one, two := c.image(digest.SHA256, nil), c.image(digest.SHA256, nil)
		children := index(t, digest.SHA256, nil, one, two)
		for _, m := range []pushed{one, two, children} {
			c.push(m.desc.Digest.String(), m)
		}
		for name, m := range map[string]pushed{
			"image":        one,
			"index":        children,
			"no-layers":    c.image(digest.SHA256, func(m *v1.Manifest) { m.Layers = []v1.Descriptor{} }),
			"nested-index": index(t, digest.SHA256, nil, children, one),
			"empty-index":  index(t, digest.SHA256, nil),
			"data-field": c.image(digest.SHA256, func(m *v1.Manifest) {
				m.Config.Data = []byte(`{}`)
			}),
			"custom-fields": manifestOf(t, v1.MediaTypeImageManifest, digest.SHA256, struct {
				v1.Manifest
				Extra map[string]any `json:"org.example.extra"`
			}{v1.Manifest{
				Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: v1.MediaTypeImageManifest,
				Config: c.blob(v1.MediaTypeImageConfig, digest.SHA256, []byte("{}")), Layers: []v1.Descriptor{},
			}, map[string]any{"a": []int{1}}}),
			"no-type": c.image(digest.SHA256, func(m *v1.Manifest) { m.MediaType = "" }),
			"custom-index": manifestOf(t, v1.MediaTypeImageIndex, digest.SHA256, map[string]any{
				"schemaVersion": 2, "mediaType": v1.MediaTypeImageIndex, "manifests": []v1.Descriptor{one.desc}, "extra": 1,
			}),
			"unknown-type": manifestOf(t, "application/vnd.example.manifest.v1+json", digest.SHA256, map[string]any{
				"mediaType": "application/vnd.example.manifest.v1+json", "anything": true,
			}),
			"untold-type": manifestOf(t, "application/vnd.example.untold+json", digest.SHA256, map[string]any{"anything": false}),
			"plain-json":  manifestOf(t, "application/json", digest.SHA256, map[string]any{"anything": 1}),
			"artifact-manifest": manifestOf(t, "application/vnd.oci.artifact.manifest.v1+json", digest.SHA256, map[string]any{
				"mediaType": "application/vnd.oci.artifact.manifest.v1+json", "blobs": []v1.Descriptor{c.blob("a/b", digest.SHA256, []byte("b"))},
			}),
		} {
			c.push(name, m)
			c.push(m.desc.Digest.String(), m) // again
			c.has(name, m)
			c.has(m.desc.Digest.String(), m)
			// Another replica has nothing in its memory.
			other := clientOf(t, serve(t, b), "conf/push")
			other.has(name, m)
			other.has(m.desc.Digest.String(), m)
		}
	})
}

// TestConformanceLargeManifest has a manifest of nearly 4 MiB, which is also a referrer.
func TestConformanceLargeManifest(t *testing.T) {
	t.Parallel()
	b := mem.New()
	c := clientOf(t, serve(t, b), "conf/large")
	subject := c.image(digest.SHA256, nil)
	m := c.image(digest.SHA256, func(m *v1.Manifest) {
		m.Subject = &subject.desc
		m.Annotations = map[string]string{}
		for i := range 390 {
			m.Annotations[fmt.Sprintf("large-annotation-%d", i)] = strings.Repeat("A", 10_000)
		}
	})
	c.push("v1", m)
	c.has("v1", m)
	clientOf(t, serve(t, b), "conf/large").has(m.desc.Digest.String(), m)
	c.refer(subject.desc.Digest, "", m)
}

// TestIndexOfBlobs has an index whose children are no manifests, as BuildKit writes its caches.
// https://github.com/distribution/distribution/issues/3452
func TestIndexOfBlobs(t *testing.T) {
	c := clientOf(t, serve(t, mem.New()), "build/cache")
	layer := pushed{desc: c.blob(v1.MediaTypeImageLayerGzip, digest.SHA256, []byte("cached"))}
	config := pushed{desc: c.blob("application/vnd.buildkit.cacheconfig.v0", digest.SHA256, []byte("{}"))}
	cache := index(t, digest.SHA256, nil, layer, config)
	c.push("cache", cache)
	c.has("cache", cache)
	if resp, body := do(t, http.MethodGet, c.base+"/blobs/"+layer.desc.Digest.String(), nil, nil); resp.StatusCode != http.StatusOK || body != "cached" {
		t.Errorf("GET: %s: %s", resp.Status, body)
	}
}

// TestConformanceManifestErrors pushes what a registry refuses.
func TestConformanceManifestErrors(t *testing.T) {
	c := clientOf(t, serve(t, mem.New()), "conf/errors")
	m := c.image(digest.SHA256, nil)
	d := m.desc.Digest.String()
	missing := digest.FromString("missing")
	without := c.image(digest.SHA256, func(m *v1.Manifest) { m.Layers[0].Digest = missing })
	raw := func(mediaType, text string) pushed {
		return pushed{v1.Descriptor{MediaType: mediaType, Digest: digest.FromString(text)}, "", []byte(text)}
	}
	spaced := pushed{m.desc, "", append(append([]byte{}, m.content...), "  "...)}
	for _, tt := range []struct {
		name, ref string
		m         pushed
		code      string
		status    int
	}{
		{"another digest", d, spaced, "DIGEST_INVALID", 400},
		{"another digest by sha512", digest.SHA512.FromString("x").String(), m, "DIGEST_INVALID", 400},
		{"no digest", "sha256:baddigeststring", m, "DIGEST_INVALID", 400},
		{"no blob", "v1", without, "MANIFEST_BLOB_UNKNOWN", 400},
		{"no child", "v1", index(t, digest.SHA256, nil, without), "MANIFEST_BLOB_UNKNOWN", 400},
		{"no blob, by sha512", digest.SHA512.FromBytes(without.content).String(), without, "MANIFEST_BLOB_UNKNOWN", 400},
		{"no JSON", "v1", raw(v1.MediaTypeImageManifest, "text"), "MANIFEST_INVALID", 400},
		{"no JSON, unknown type", "v1", raw("application/vnd.x+json", "text"), "MANIFEST_INVALID", 400},
		{"nothing", "v1", raw(v1.MediaTypeImageManifest, ""), "MANIFEST_INVALID", 400},
		{"null", "v1", raw("application/vnd.x+json", "null"), "MANIFEST_INVALID", 400},
		{"NUL", "v1", raw("application/vnd.x+json", "{}\x00"), "MANIFEST_INVALID", 400},
		{"a page", "v1", raw("text/html", `{"a":"<script>alert(1)</script>"}`), "MANIFEST_INVALID", 400},
		{"a page, says the manifest", "v1", raw("", `{"mediaType":"text/html"}`), "MANIFEST_INVALID", 400},
		{"two types", "v1", raw("application/vnd.x+json", `{"mediaType":"application/vnd.y+json"}`), "MANIFEST_INVALID", 400},
		{"schema 1", "v1", raw("application/vnd.docker.distribution.manifest.v1+prettyjws", `{"schemaVersion":1}`), "MANIFEST_INVALID", 400},
		{"a version", "v1", raw(v1.MediaTypeImageManifest, `{"schemaVersion":3}`), "MANIFEST_INVALID", 400},
		{"manifests and layers", "v1", raw("application/vnd.x+json", `{"manifests":[],"layers":[]}`), "MANIFEST_INVALID", 400},
		{"a subject of no digest", "v1", raw("application/vnd.x+json", `{"subject":{"digest":"../../x"}}`), "DIGEST_INVALID", 400},
		{"a layer of no digest", "v1", raw("application/vnd.x+json", `{"layers":[{"digest":"sha256:x"}]}`), "DIGEST_INVALID", 400},
	} {
		resp, body := c.put(tt.ref, tt.m)
		if resp.StatusCode != tt.status || !strings.Contains(body, tt.code) {
			t.Errorf("%s: %s: %s, want %d %s", tt.name, resp.Status, body, tt.status, tt.code)
		}
	}
	if resp, _ := do(t, http.MethodGet, c.base+"/tags/list", nil, nil); resp.StatusCode != http.StatusNotFound && len(c.tags("")) > 0 {
		t.Errorf("tags %v", c.tags(""))
	}
	c.lacks(missing.String())
	c.lacks("nothing")
	if resp, body := c.get("sha256:baddigeststring"); resp.StatusCode != 400 && resp.StatusCode != 404 {
		t.Errorf("GET of no digest: %s: %s", resp.Status, body)
	}
}
