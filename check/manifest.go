package check

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/distribution/distribution/v3/manifest/manifestlist"
	"github.com/distribution/distribution/v3/manifest/schema2"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/blobdock/blobdock/manifests"
)

// manifestsKept is how many manifests are remembered, some kilobytes each.
const manifestsKept = 10_000

// manifest is what a manifest's blob was found to be. It is read once.
type manifest struct {
	ready chan struct{} // is closed when what follows is known
	err   error
	state string // why it can't be had, or ""
	kind  Kind   // what is wrong with it, or ""
	text  string // the same in words
	refs  []ref
}

// sound reports whether it is a manifest, with the right digest.
func (m *manifest) sound() bool { return m.state == "" && m.kind == "" }

// ref is what a manifest refers to, and its repository must have.
type ref struct {
	digest   digest.Digest
	size     int64 // 0 is not told
	manifest bool
}

// manifest reads the manifest d, once for all who ask at the same time.
func (r *run) manifest(ctx context.Context, d digest.Digest) (*manifest, error) {
	for {
		m, ok := r.manifests.Get(d)
		if !ok {
			fresh := &manifest{ready: make(chan struct{})}
			if m, ok, _ = r.manifests.PeekOrAdd(d, fresh); !ok {
				m = fresh
				m.err = r.readManifest(ctx, d, m)
				close(m.ready)
			}
		}
		select {
		case <-m.ready:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if !anotherGaveUp(ctx, m.err) {
			return m, m.err
		}
		r.manifests.Remove(d)
	}
}

// anotherGaveUp reports whether err, of work that is done once for all who ask, is that of a
// caller whose context ended, while that of this one has not.
func anotherGaveUp(ctx context.Context, err error) bool {
	return errors.Is(err, context.Canceled) && ctx.Err() == nil
}

func (r *run) readManifest(ctx context.Context, d digest.Digest, m *manifest) (err error) {
	b, state, err := r.look(ctx, d)
	if m.state = state; err != nil || state != "" {
		return err
	}
	tooLong := func() {
		m.kind, m.text = ManifestMalformed, fmt.Sprintf("%d bytes, more than a registry takes", b.size)
	}
	if b.size > manifests.MaxSize {
		tooLong()
		return nil
	}
	p := bounded{max: manifests.MaxSize}
	m.state, err = r.content(ctx, d, &p)
	switch {
	case errors.Is(err, errTooLong):
		tooLong()
		return nil
	case err != nil || m.state != "":
		return err
	}
	m.kind, m.text, m.refs = parse(p.p)
	return nil
}

// parse reads a manifest as distribution does, by its own media type and not by
// that of its descriptor. Manifests of other types, which blobdock takes in, refer to what
// those that are known could.
func parse(p []byte) (kind Kind, text string, refs []ref) {
	var doc struct {
		SchemaVersion int             `json:"schemaVersion"`
		MediaType     string          `json:"mediaType"`
		Config        *v1.Descriptor  `json:"config"`
		Layers        []v1.Descriptor `json:"layers"`
		Blobs         []v1.Descriptor `json:"blobs"` // of the artifact manifest that release 1.1 of OCI's gave up
		Manifests     []v1.Descriptor `json:"manifests"`
	}
	if err := json.Unmarshal(p, &doc); err != nil {
		return ManifestMalformed, err.Error(), nil
	}
	if doc.SchemaVersion == 1 {
		return ManifestSchema1, "", nil
	}
	var all []v1.Descriptor
	index := doc.MediaType == "" && doc.Manifests != nil
	switch {
	case manifests.IsKnown(doc.MediaType):
		index = doc.MediaType == v1.MediaTypeImageIndex || doc.MediaType == manifestlist.MediaTypeManifestList
	case doc.MediaType != "" || doc.SchemaVersion == 0: // of a type that it may not tell itself
		if doc.Config != nil {
			all = append(all, *doc.Config)
		}
		return references(slices.Concat(all, doc.Layers, doc.Blobs, doc.Manifests))
	}
	if doc.SchemaVersion != 2 {
		return ManifestMalformed, fmt.Sprintf("schema version %d", doc.SchemaVersion), nil
	}
	if index {
		return references(doc.Manifests)
	}
	if doc.Config == nil {
		doc.Config = new(v1.Descriptor)
	}
	return references(append([]v1.Descriptor{*doc.Config}, doc.Layers...))
}

// references are those of a manifest to what the repository must have.
func references(all []v1.Descriptor) (kind Kind, text string, refs []ref) {
	seen := make(map[digest.Digest]bool)
	for _, desc := range all {
		if err := desc.Digest.Validate(); err != nil {
			return ManifestMalformed, fmt.Sprintf("refers to %q: %v", desc.Digest, err), nil
		}
		if foreign(desc) || seen[desc.Digest] {
			continue
		}
		seen[desc.Digest] = true
		refs = append(refs, ref{desc.Digest, desc.Size, manifests.IsKnown(desc.MediaType)})
	}
	return "", "", refs
}

// foreign reports whether clients get it from elsewhere, as distribution sees it
// when a manifest is pushed.
func foreign(d v1.Descriptor) bool {
	switch d.MediaType {
	case schema2.MediaTypeForeignLayer:
		return true
	case v1.MediaTypeImageLayerNonDistributable, v1.MediaTypeImageLayerNonDistributableGzip, //nolint:staticcheck // deprecated, and there in old images
		v1.MediaTypeImageLayerNonDistributableZstd: //nolint:staticcheck // as above
		return len(d.URLs) > 0
	}
	return false
}
