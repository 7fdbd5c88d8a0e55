package manifests

import (
	"context"
	"encoding/json"
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
// in the order of their digests. artifactType, if not "", is the only type that is wanted. Only
// those after last are, "" for all; next is where to go on when the descriptions would be more
// bytes than a manifest may have, or "".
//
// Manifests that clients have listed themselves, under the tag that the specification names for
// registries without referrers, are among them where they have this subject. A referrer that was
// deleted is none, whoever has deleted it, and neither is a damaged one.
func (r *Repository) Referrers(ctx context.Context, d digest.Digest, artifactType string, last digest.Digest) (found []v1.Descriptor, next digest.Digest, err error) {
	if err := d.Validate(); err != nil {
		return nil, "", err
	}
	digests, err := r.listed(ctx, d)
	if err != nil {
		return nil, "", err
	}
	digests = slices.DeleteFunc(digests, func(d digest.Digest) bool { return d <= last })
	size := 0
	for some := range slices.Chunk(digests, lookups) {
		looked, err := r.describe(ctx, some, d)
		if err != nil {
			return nil, "", err
		}
		for _, m := range looked {
			if m.Digest == "" || artifactType != "" && m.ArtifactType != artifactType {
				continue
			}
			p, err := json.Marshal(m)
			if err != nil {
				return nil, "", err
			}
			if size += len(p) + len(","); size > MaxSize-indexSize && len(found) > 0 {
				return found, found[len(found)-1].Digest, nil
			}
			found = append(found, m)
		}
	}
	return found, "", nil
}

// indexSize is more bytes than a list of referrers has beside what it lists.
const indexSize = 1 << 10

// describe describes those of some that have this subject. Others are left empty.
func (r *Repository) describe(ctx context.Context, some []digest.Digest, subject digest.Digest) ([]v1.Descriptor, error) {
	found := make([]v1.Descriptor, len(some))
	g, gctx := errgroup.WithContext(ctx)
	for i, d := range some {
		g.Go(func() error {
			m, err := r.Read(gctx, d)
			if isUnknown(err) || errors.Is(err, driver.Corrupt) {
				return nil
			}
			if err == nil && m.Subject() == subject {
				found[i] = m.descriptor
			}
			return err
		})
	}
	return found, g.Wait()
}

// listed is the manifests that may have the subject d, in order.
func (r *Repository) listed(ctx context.Context, d digest.Digest) ([]digest.Digest, error) {
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
	digests := slices.Concat(own, fallback)
	slices.Sort(digests)
	return slices.Compact(digests), nil
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

// AllReferrers are those of all pages of Referrers.
func (r *Repository) AllReferrers(ctx context.Context, d digest.Digest, artifactType string) (all []v1.Descriptor, err error) {
	var next digest.Digest
	for {
		var found []v1.Descriptor
		if found, next, err = r.Referrers(ctx, d, artifactType, next); err != nil {
			return nil, err
		}
		if all = append(all, found...); next == "" {
			return all, nil
		}
	}
}
