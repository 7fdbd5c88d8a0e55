package manifests

import (
	"context"

	"github.com/opencontainers/go-digest"
)

// Push stores m and tags it. Errors are those of Put.
func (r *Repository) Push(ctx context.Context, m *Manifest, tags ...string) error {
	if err := r.put(ctx, m, tags, true); err != nil {
		return err
	}
	return r.Tags().TagAll(ctx, tags, m.descriptor)
}

// Resolve returns the manifest that ref names, a tag or a digest.
// distribution.ErrTagUnknown or distribution.ErrManifestUnknownRevision when there is none.
func (r *Repository) Resolve(ctx context.Context, ref string) (*Manifest, error) {
	d, err := digest.Parse(ref)
	if err != nil {
		desc, err := r.Tags().Get(ctx, ref)
		if err != nil {
			return nil, err
		}
		d = desc.Digest
	}
	return r.Read(ctx, d)
}
