package transfer

import (
	"slices"
	"testing"
)

// FuzzManifest reads whatever the source has for a manifest. What is copied by it are
// digests.
func FuzzManifest(f *testing.F) {
	f.Add([]byte(`{"config": {"digest": "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}, "subject": {"digest": "x"}}`))
	f.Add([]byte(`{"fsLayers": [{"blobSum": "sha256:e3"}], "manifests": [{}]}`))
	f.Add([]byte("[]"))
	f.Fuzz(func(t *testing.T, p []byte) {
		m, err := parseManifest(p)
		if err != nil {
			return
		}
		for _, d := range slices.Concat(m.blobs(), m.Manifests) {
			if err := d.Digest.Validate(); err != nil {
				t.Errorf("%q refers to %q: %v", p, d.Digest, err)
			}
		}
	})
}
