package registry_test

import (
	"testing"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/mem"
)

// TestConformanceSha512 has blobs, manifests and an index by sha512. A tag of what was pushed
// by tag has the canonical digest.
func TestConformanceSha512(t *testing.T) {
	onStores(t, func(t *testing.T, b driver.Bucket) {
		c := clientOf(t, serve(t, b), "conf/sha512")
		image := c.image(digest.SHA512, nil)
		list := index(t, digest.SHA512, nil, image)
		for _, m := range []pushed{image, list} {
			c.push(m.desc.Digest.String(), m)
			c.has(m.desc.Digest.String(), m)
			clientOf(t, serve(t, b), "conf/sha512").has(m.desc.Digest.String(), m)
			c.lacks(digest.FromBytes(m.content).String())
		}
		byTag := image
		byTag.desc.Digest = digest.FromBytes(image.content)
		c.push("v1", byTag)
		c.has("v1", byTag)
		c.remove(list.desc.Digest.String())
		c.lacks(list.desc.Digest.String())
		c.has(image.desc.Digest.String(), image)
		c.remove(image.desc.Digest.String())
		c.has("v1", byTag) // another manifest, with the same content
	})
}

// TestConformanceNonDistributable pushes layers that are kept elsewhere, which a registry
// allows whose configuration allows their URLs.
func TestConformanceNonDistributable(t *testing.T) {
	const nd = "application/vnd.oci.image.layer.nondistributable.v1.tar"
	for name, tt := range map[string]struct {
		change func(*configuration.Configuration)
		status int
	}{
		"by default": {func(*configuration.Configuration) {}, 400},
		"allowed": {func(c *configuration.Configuration) {
			c.Validation.Manifests.URLs.Allow = []string{"^https?://store.example.com/"}
		}, 201},
		"elsewhere": {func(c *configuration.Configuration) {
			c.Validation.Manifests.URLs.Allow = []string{"^https://other.example.com/"}
		}, 400},
		"denied":        {func(c *configuration.Configuration) { c.Validation.Manifests.URLs.Deny = []string{"b$", "/blobs/"} }, 400},
		"not denied":    {func(c *configuration.Configuration) { c.Validation.Manifests.URLs.Deny = []string{"^https://other"} }, 201},
		"no validation": {func(c *configuration.Configuration) { c.Validation.Disabled = true }, 201},
	} {
		t.Run(name, func(t *testing.T) {
			c := clientOf(t, serveConfigured(t, mem.New(), tt.change), "conf/nd")
			m := c.image(digest.SHA256, func(m *v1.Manifest) {
				for _, mediaType := range []string{nd, nd + "+gzip", nd + "+zstd", "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"} {
					d := digest.FromString(mediaType)
					m.Layers = append(m.Layers, v1.Descriptor{MediaType: mediaType, Digest: d, Size: 12345, URLs: []string{"https://store.example.com/blobs/" + d.Encoded()}})
				}
			})
			if resp, body := c.put("v1", m); resp.StatusCode != tt.status {
				t.Fatalf("%s: %s, want %d", resp.Status, body, tt.status)
			}
			if tt.status == 201 {
				c.has("v1", m)
				c.has(m.desc.Digest.String(), m)
			}
		})
	}
}

// TestNonDistributableWithoutURLs refuses layers that nobody has, unless their type says that
// others may not be given them.
func TestNonDistributableWithoutURLs(t *testing.T) {
	c := clientOf(t, serve(t, mem.New()), "a")
	for mediaType, want := range map[string]int{
		"application/vnd.oci.image.layer.nondistributable.v1.tar": 201,
		v1.MediaTypeImageLayer: 400,
	} {
		m := c.image(digest.SHA256, func(m *v1.Manifest) {
			m.Layers[0].MediaType, m.Layers[0].Digest = mediaType, digest.FromString("nowhere")
		})
		if resp, body := c.put("v1", m); resp.StatusCode != want {
			t.Errorf("%s: %s: %s, want %d", mediaType, resp.Status, body, want)
		}
	}
}

// TestSparseIndexes has the configuration tell which children must be there.
func TestSparseIndexes(t *testing.T) {
	for platforms, want := range map[string]int{"": 400, "all": 400, "none": 201, "list": 201} {
		c := clientOf(t, serveConfigured(t, mem.New(), func(c *configuration.Configuration) {
			c.Validation.Manifests.Indexes.Platforms = configuration.Platforms(platforms)
			c.Validation.Manifests.Indexes.PlatformList = []configuration.Platform{{Architecture: "amd64", OS: "linux"}}
		}), "a")
		one, two := c.image(digest.SHA256, nil), c.image(digest.SHA256, nil)
		c.push("one", one)
		m := index(t, digest.SHA256, func(m *v1.Index) { m.Manifests[1].Platform.Architecture = "arm64" }, one, two)
		if resp, body := c.put("v1", m); resp.StatusCode != want {
			t.Errorf("platforms %q: %s: %s, want %d", platforms, resp.Status, body, want)
		}
	}
}
