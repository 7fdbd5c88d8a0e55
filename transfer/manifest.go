package transfer

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/driver"
)

// maxManifest is the largest that distribution takes, in bytes.
// https://distribution.github.io/distribution/spec/api/
const maxManifest = 4 << 20

// descriptor is what a manifest tells of something else.
type descriptor struct {
	MediaType string
	Digest    digest.Digest
	URLs      []string // where else it is
}

// elsewhere reports whether a registry need not have it.
func (d descriptor) elsewhere() bool {
	return len(d.URLs) > 0 || strings.HasPrefix(d.MediaType, "application/vnd.oci.image.layer.nondistributable.")
}

// manifest is what all kinds of them refer to: images and indexes of OCI and
// Docker, and Docker's first schema.
type manifest struct {
	Config    *descriptor
	Layers    []descriptor
	Blobs     []descriptor // of OCI's withdrawn artifact manifest
	FSLayers  []struct{ BlobSum digest.Digest }
	Manifests []descriptor // may be blobs, in caches of BuildKit's
	Subject   *descriptor
}

func parseManifest(b []byte) (manifest, error) {
	var m manifest
	if err := json.Unmarshal(b, &m); err != nil {
		return m, fmt.Errorf("no manifest: %w: %w", driver.Corrupt, err)
	}
	check := append(m.blobs(), m.Manifests...)
	if m.Subject != nil {
		check = append(check, *m.Subject)
	}
	for _, d := range check {
		if err := d.Digest.Validate(); err != nil {
			return m, fmt.Errorf("manifest names %q: %w: %w", d.Digest, driver.Corrupt, err)
		}
	}
	return m, nil
}

// blobs are the layers, and the configuration.
func (m manifest) blobs() []descriptor {
	var all []descriptor
	if m.Config != nil {
		all = append(all, *m.Config)
	}
	all = append(all, m.Layers...)
	all = append(all, m.Blobs...)
	for _, l := range m.FSLayers {
		all = append(all, descriptor{Digest: l.BlobSum})
	}
	return all
}
