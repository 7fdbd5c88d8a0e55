package registry_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/mem"
)

// TestConformanceArtifacts has artifacts with and without layers and subjects, which need not
// be there.
func TestConformanceArtifacts(t *testing.T) {
	onStores(t, func(t *testing.T, b driver.Bucket) {
		c := clientOf(t, serve(t, b), "conf/artifacts")
		plain := c.artifact(typeA, nil)
		empty := c.image(digest.SHA256, func(m *v1.Manifest) {
			m.ArtifactType = typeA
			m.Config = c.blob(v1.MediaTypeEmptyJSON, digest.SHA256, []byte("{}"))
			m.Layers = []v1.Descriptor{m.Config}
		})
		list := index(t, digest.SHA256, func(m *v1.Index) { m.ArtifactType = typeA }, plain, empty)
		missing := v1.Descriptor{MediaType: v1.MediaTypeImageManifest, Size: 123, Digest: digest.FromString("missing content")}
		signed := c.artifact(typeA, &missing)
		listed := index(t, digest.SHA256, func(m *v1.Index) { m.ArtifactType, m.Subject = typeB, &missing }, plain)
		for name, m := range map[string]pushed{"artifact": plain, "without-layers": empty} {
			c.push(name, m)
			c.has(name, m)
		}
		for name, m := range map[string]pushed{"index": list, "missing-subject": signed, "index-with-subject": listed} {
			c.push(name, m)
			c.has(name, m)
			c.has(m.desc.Digest.String(), m)
		}
		c.refer(missing.Digest, "", signed, listed)
		c.refer(missing.Digest, typeA, signed)
		for _, m := range []pushed{listed, signed, list, empty, plain} {
			c.remove(m.desc.Digest.String())
			c.lacks(m.desc.Digest.String())
		}
		c.refer(missing.Digest, "")
	})
}

// TestIndexOfLayers has the index of a build's cache, which names layers.
func TestIndexOfLayers(t *testing.T) {
	c := clientOf(t, serve(t, mem.New()), "cache")
	layer := c.blob(v1.MediaTypeImageLayerGzip, digest.SHA256, []byte("layer"))
	m := index(t, digest.SHA256, func(m *v1.Index) { m.Manifests = []v1.Descriptor{layer} })
	c.push("main", m)
	c.has("main", m)
	m = index(t, digest.SHA256, func(m *v1.Index) {
		m.Manifests = []v1.Descriptor{layer, {MediaType: layer.MediaType, Digest: digest.FromString("nowhere"), Size: 1}}
	})
	if resp, body := c.put("main", m); resp.StatusCode != http.StatusBadRequest || !strings.Contains(body, "MANIFEST_BLOB_UNKNOWN") {
		t.Errorf("%s: %s", resp.Status, body)
	}
}
