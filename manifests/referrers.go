package manifests

import (
	"context"
	"errors"
	"slices"

	"github.com/distribution/distribution/v3"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/layout"
)

// Referrers describes the manifests whose subject is the manifest d, which need not be there,
// in the order of their digests. artifactType, if not "", is the only type that is wanted.
//
// Manifests that clients have listed themselves, under the tag that the specification names for
// registries without referrers, are among them where they have this subject. A referrer that was
// deleted is none, whoever has deleted it, and neither is a damaged one.
func (r *Repository) Referrers(ctx context.Context, d digest.Digest, artifactType string) ([]v1.Descriptor, error) {
	if err := d.Validate(); err != nil {
		return nil, err
	}
	var own, fallback []digest.Digest
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		for e, err := range driver.List(gctx, r.bucket, driver.ListRequest{Prefix: r.layout.Referrers(r.name, d)}) {
			if err != nil {
				return err
			}
			if n, ok := r.layout.Parse(e.Key); ok && n.Kind == layout.Referrer {
				own = append(own, n.Digest)
			}
		}
		return nil
	})
	g.Go(func() (err error) {
		fallback, err = r.fallback(gctx, d)
		return err
	})
	if err := g.Wait(); err != nil {
		return nil, err
	}
	digests := append(own, fallback...)
	slices.Sort(digests)
	digests = slices.Compact(digests)
	found := make([]v1.Descriptor, len(digests)) // of those that are gone, none
	g, gctx = errgroup.WithContext(ctx)
	g.SetLimit(lookups)
	for i, referrer := range digests {
		g.Go(func() error {
			m, err := r.Read(gctx, referrer)
			if isUnknown(err) || errors.Is(err, driver.Corrupt) {
				return nil
			}
			if err != nil {
				return err
			}
			if m.Subject() == d && (artifactType == "" || m.descriptor.ArtifactType == artifactType) {
				found[i] = m.descriptor
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(found, func(m v1.Descriptor) bool { return m.Digest == "" }), nil
}

// fallback is what the index under the fallback tag names.
// https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#referrers-tag-schema
func (r *Repository) fallback(ctx context.Context, d digest.Digest) ([]digest.Digest, error) {
	algorithm, encoded := d.Algorithm().String(), d.Encoded()
	tag := algorithm[:min(len(algorithm), 32)] + "-" + encoded[:min(len(encoded), 64)]
	desc, err := r.Tags().Get(ctx, tag)
	var m *Manifest
	if err == nil {
		m, err = r.Read(ctx, desc.Digest)
	}
	unknown := distribution.ErrTagUnknown{}
	if errors.As(err, &unknown) || isUnknown(err) || errors.Is(err, driver.Corrupt) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	digests := make([]digest.Digest, len(m.fields.Manifests))
	for i, listed := range m.fields.Manifests {
		digests[i] = listed.Digest
	}
	return digests, nil
}
