package namespace

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/distribution/distribution/v3"
	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/layers"
	"github.com/blobdock/blobdock/layers/tarsum"
	"github.com/blobdock/blobdock/manifests"
	"github.com/blobdock/blobdock/signatures"
)

// Repository implements distribution.Repository. It is for the requests of one client: what it has
// written it need not look for again.
type Repository struct {
	namespace *Namespace
	name      reference.Named
	manifests *manifests.Repository
}

var _ distribution.Repository = (*Repository)(nil)

// Named implements distribution.Repository.
func (r *Repository) Named() reference.Named { return r.name }

// Manifests implements distribution.Repository. The options are those of each Put.
func (r *Repository) Manifests(_ context.Context, options ...distribution.ManifestServiceOption) (distribution.ManifestService, error) {
	return &manifestService{r.manifests, options}, nil
}

// manifestService puts manifests with more options.
type manifestService struct {
	*manifests.Repository
	options []distribution.ManifestServiceOption
}

// Put implements distribution.ManifestService.
func (m *manifestService) Put(ctx context.Context, manifest distribution.Manifest, options ...distribution.ManifestServiceOption) (digest.Digest, error) {
	return m.Repository.Put(ctx, manifest, append(slices.Clone(m.options), options...)...)
}

// Tags implements distribution.Repository.
func (r *Repository) Tags(context.Context) distribution.TagService { return r.manifests.Tags() }

// Blobs implements distribution.Repository. What it returns is a *blobstore.Repository.
func (r *Repository) Blobs(context.Context) distribution.BlobStore { return r.manifests.Blobs() }

// Layers are the repository's blobs, as they were called before.
func (r *Repository) Layers(ctx context.Context) *layers.Service {
	return layers.New(ctx, r.namespace.store, r.name)
}

// Signatures are kept as OCI referrers. Package signatures has other places for them.
func (r *Repository) Signatures() signatures.Service { return signatures.Referrers(r.manifests) }

// Descriptors finds blobs under other digests of theirs: by another algorithm, or their tarsum, such as
// tarsum.v1+sha256:<hex>.
func (r *Repository) Descriptors() distribution.BlobDescriptorService {
	return descriptors{r.namespace.store, r.name.Name(), r.manifests.Blobs()}
}

// descriptors implements distribution.BlobDescriptorService by links that hold another digest than
// the one in their key, as distribution's own registry writes and reads them.
type descriptors struct {
	store *blobstore.Store
	name  string
	blobs *blobstore.Repository
}

var _ distribution.BlobDescriptorService = descriptors{}

// Stat describes the blob that d, a digest of any algorithm that it was given, leads to.
func (s descriptors) Stat(ctx context.Context, d digest.Digest) (v1.Descriptor, error) {
	if isTarSum(d) {
		of, size, err := tarsum.New(ctx, s.store).Lookup(s.name, d.String())
		if err != nil {
			return v1.Descriptor{}, asBlobError(d, err)
		}
		return v1.Descriptor{MediaType: "application/octet-stream", Digest: of, Size: size}, nil
	}
	b, err := s.blobs.Lookup(ctx, d)
	if err != nil {
		return v1.Descriptor{}, err
	}
	desc := b.Descriptor()
	desc.Digest = b.Canonical()
	return desc, nil
}

// SetDescriptor has d lead to the blob desc, which the repository must have. Its content is read and
// compared: distribution.ErrBlobInvalidDigest when d is not a digest of it, and ErrBlobUnknown when
// there is no such blob.
func (s descriptors) SetDescriptor(ctx context.Context, d digest.Digest, desc v1.Descriptor) error {
	if isTarSum(d) {
		return asBlobError(d, tarsum.New(ctx, s.store).Link(s.name, d.String(), desc.Digest))
	}
	return s.blobs.Alias(ctx, d, desc.Digest)
}

// Clear has d lead nowhere. The blob stays under its other digests. ErrBlobUnknown when d leads
// nowhere already.
func (s descriptors) Clear(ctx context.Context, d digest.Digest) error {
	if isTarSum(d) {
		return asBlobError(d, tarsum.New(ctx, s.store).Unlink(s.name, d.String()))
	}
	return s.blobs.Delete(ctx, d)
}

// isTarSum reports whether d is a tarsum, which are no digests any more.
func isTarSum(d digest.Digest) bool { return strings.HasPrefix(d.String(), "tarsum") }

// asBlobError is err by the names that distribution has today.
func asBlobError(d digest.Digest, err error) error {
	switch {
	case errors.Is(err, tarsum.ErrLayerUnknown):
		return distribution.ErrBlobUnknown
	case errors.Is(err, tarsum.ErrLayerInvalidTarsum), errors.Is(err, tarsum.ErrLayerTarSumVersionUnsupported):
		return distribution.ErrBlobInvalidDigest{Digest: d, Reason: err}
	}
	return err
}
