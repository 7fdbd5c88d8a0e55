package manifests

import (
	"cmp"
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
// Those that clients have listed themselves under the tag that the specification names for
// registries without referrers are among them. A referrer that was deleted is none, whoever
// has deleted it.
func (r *Repository) Referrers(ctx context.Context, d digest.Digest, artifactType string) ([]v1.Descriptor, error) {
	if err := d.Validate(); err != nil {
		return nil, err
	}
	var (
		digests  []digest.Digest
		fallback []v1.Descriptor
	)
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		for e, err := range driver.List(gctx, r.bucket, driver.ListRequest{Prefix: r.layout.Referrers(r.name, d)}) {
			if err != nil {
				return err
			}
			if n, ok := r.layout.Parse(e.Key); ok && n.Kind == layout.Referrer {
				digests = append(digests, n.Digest)
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
	found := make([]v1.Descriptor, len(digests)) // of those that are gone, none
	g, gctx = errgroup.WithContext(ctx)
	g.SetLimit(lookups)
	for i, referrer := range digests {
		g.Go(func() error {
			m, err := r.Read(gctx, referrer)
			if err == nil && m.Subject() == d {
				found[i] = m.descriptor
			}
			if isUnknown(err) || errors.Is(err, driver.Corrupt) {
				return nil
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	for _, f := range fallback {
		if !slices.Contains(digests, f.Digest) {
			found = append(found, f)
		}
	}
	found = slices.DeleteFunc(found, func(m v1.Descriptor) bool {
		return m.Digest == "" || artifactType != "" && m.ArtifactType != artifactType
	})
	slices.SortFunc(found, func(a, b v1.Descriptor) int { return cmp.Compare(a.Digest, b.Digest) })
	return slices.CompactFunc(found, func(a, b v1.Descriptor) bool { return a.Digest == b.Digest }), nil
}

// fallback is what the index under the fallback tag names.
// https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#referrers-tag-schema
func (r *Repository) fallback(ctx context.Context, d digest.Digest) ([]v1.Descriptor, error) {
	algorithm, encoded := d.Algorithm().String(), d.Encoded()
	desc, err := r.Tags().Get(ctx, algorithm[:min(len(algorithm), 32)]+"-"+encoded[:min(len(encoded), 64)])
	if unknown := (distribution.ErrTagUnknown{}); errors.As(err, &unknown) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	m, err := r.Read(ctx, desc.Digest)
	if isUnknown(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return m.fields.Manifests, nil
}
