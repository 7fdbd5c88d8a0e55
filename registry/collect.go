package registry

import (
	"context"
	"errors"

	"github.com/distribution/distribution/v3"
	"github.com/distribution/distribution/v3/registry/storage"
	storagedriver "github.com/distribution/distribution/v3/registry/storage/driver"
	"github.com/distribution/reference"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/blobdock/blobdock/manifests"
)

// Collect is distribution's garbage collection. Where sd is this package's driver it knows
// manifests of all types, and takes no referrer for untagged whose subject the repository has.
// Nothing may be pushed meanwhile.
func Collect(ctx context.Context, sd storagedriver.StorageDriver, o storage.GCOpts) error {
	ns, err := storage.NewRegistry(ctx, sd)
	if err != nil {
		return err
	}
	if _, ok := unwrap(sd); !ok {
		return storage.MarkAndSweep(ctx, sd, ns, o)
	}
	outer, err := newMiddleware(ctx, ns, sd, nil)
	if err != nil {
		return err
	}
	return storage.MarkAndSweep(ctx, sd, collected{outer.(*namespace)}, o)
}

// collected is a namespace as garbage collection sees it.
type collected struct{ *namespace }

// Repository implements distribution.Namespace.
func (c collected) Repository(ctx context.Context, name reference.Named) (distribution.Repository, error) {
	r, err := c.namespace.Repository(ctx, name)
	if err != nil {
		return nil, err
	}
	return collectedRepository{r.(*repository)}, nil
}

type collectedRepository struct{ *repository }

// Tags implements distribution.Repository.
func (r collectedRepository) Tags(ctx context.Context) distribution.TagService {
	return referrerTags{&tagService{r.manifestsFor(ctx).Tags(), r.repository}, r.manifestsFor(ctx)}
}

// referrerTags are tags of which referrers seem to have one.
type referrerTags struct {
	*tagService
	manifests *manifests.Repository
}

// Lookup implements distribution.TagService. A manifest is kept that has one.
func (t referrerTags) Lookup(ctx context.Context, desc v1.Descriptor) ([]string, error) {
	tags, err := t.tagService.Lookup(ctx, desc)
	if err != nil || len(tags) > 0 {
		return tags, err
	}
	m, err := t.manifests.Read(ctx, desc.Digest)
	if errors.As(err, new(distribution.ErrManifestUnknownRevision)) {
		return nil, nil
	}
	if err != nil || m.Subject() == "" {
		return nil, err
	}
	there, err := t.manifests.Exists(ctx, m.Subject())
	if err != nil || !there {
		return nil, err
	}
	return []string{"a referrer of " + m.Subject().String()}, nil
}
