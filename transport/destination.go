package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/distribution/distribution/v3"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"go.podman.io/image/v5/manifest"
	"go.podman.io/image/v5/types"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/manifests"
	"github.com/blobdock/blobdock/signatures"
)

// Destination writes an image into a bucket. It is safe for concurrent use.
type Destination struct {
	ref       Reference
	bucket    *bucket
	manifests *manifests.Repository
	blobs     *blobstore.Repository

	mu  sync.Mutex
	top *manifests.Manifest // that Commit puts; nil before PutManifest
	// signatures are top's, which Commit puts, too.
	signatures [][]byte
}

var _ types.ImageDestination = (*Destination)(nil)

func (r Reference) newDestination(ctx context.Context) (*Destination, error) {
	b, err := open(ctx, r.storage, nil)
	if err != nil {
		return nil, r.wrap(err)
	}
	d := &Destination{ref: r, bucket: b}
	d.manifests, d.blobs = b.repository(r.image.repository)
	return d, nil
}

// Reference implements types.ImageDestination.
func (d *Destination) Reference() types.ImageReference { return d.ref }

// Close implements types.ImageDestination. It waits for what is removed in the background.
func (d *Destination) Close() error { return d.bucket.Close() }

// mediaTypes are those of manifests that are taken in.
var mediaTypes = []string{
	v1.MediaTypeImageManifest, manifest.DockerV2Schema2MediaType,
	v1.MediaTypeImageIndex, manifest.DockerV2ListMediaType,
}

// SupportedManifestMIMETypes implements types.ImageDestination: images and lists, Docker's and
// OCI's. Docker's first schema is converted.
func (*Destination) SupportedManifestMIMETypes() []string { return slices.Clone(mediaTypes) }

// SupportsSignatures implements types.ImageDestination: those of OpenPGP are kept as a registry
// keeps what it gets by the extension for signatures (package signatures).
func (*Destination) SupportsSignatures(context.Context) error { return nil }

// PutSignatures implements types.ImageDestination. Those of an instance of a list are stored at
// once, those of the image itself by [Destination.Commit].
func (d *Destination) PutSignatures(ctx context.Context, all [][]byte, instance *digest.Digest) error {
	if instance != nil {
		return d.ref.wrap(d.sign(ctx, *instance, all))
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.signatures = all
	return nil
}

// sign stores signatures of a manifest that is there.
func (d *Destination) sign(ctx context.Context, manifest digest.Digest, all [][]byte) error {
	x := signatures.NewExtension(d.manifests)
	for _, content := range all {
		if err := x.Add(ctx, manifest, signatures.NewSignature(manifest, content)); err != nil {
			return fmt.Errorf("signature of %s: %w", manifest, err)
		}
	}
	return nil
}

// DesiredLayerCompression implements types.ImageDestination: layers are stored compressed, as
// in a registry.
func (*Destination) DesiredLayerCompression() types.LayerCompression { return types.Compress }

// AcceptsForeignLayerURLs implements types.ImageDestination: layers that are kept elsewhere stay
// there.
func (*Destination) AcceptsForeignLayerURLs() bool { return true }

// MustMatchRuntimeOS implements types.ImageDestination.
func (*Destination) MustMatchRuntimeOS() bool { return false }

// IgnoresEmbeddedDockerReference implements types.ImageDestination: no manifest that is taken in
// has one.
func (*Destination) IgnoresEmbeddedDockerReference() bool { return true }

// HasThreadSafePutBlob implements types.ImageDestination.
func (*Destination) HasThreadSafePutBlob() bool { return true }

// PutBlob implements types.ImageDestination. Nothing shows before the digest and the size have
// been compared, where they are known; what a failure leaves is removed. Content whose digest and
// size are known, and that the bucket has already, is read and compared, and not sent.
func (d *Destination) PutBlob(ctx context.Context, stream io.Reader, info types.BlobInfo, _ types.BlobInfoCache, _ bool) (types.BlobInfo, error) {
	desc, err := d.blobs.PushAny(ctx, v1.Descriptor{Digest: info.Digest, Size: info.Size}, stream)
	if err != nil {
		return types.BlobInfo{}, d.ref.wrap(err)
	}
	return types.BlobInfo{Digest: desc.Digest, Size: desc.Size}, nil
}

// TryReusingBlob implements types.ImageDestination: what the bucket has, in whichever repository,
// is linked. A blob of another size is not reused, and replaced when it is put. Equivalents of a
// blob are not looked for.
func (d *Destination) TryReusingBlob(ctx context.Context, info types.BlobInfo, _ types.BlobInfoCache, _ bool) (bool, types.BlobInfo, error) {
	desc, err := d.blobs.MountAny(ctx, info.Digest, info.Size)
	if errors.Is(err, distribution.ErrBlobUnknown) {
		return false, types.BlobInfo{}, nil
	}
	if err != nil {
		return false, types.BlobInfo{}, d.ref.wrap(err)
	}
	return true, types.BlobInfo{Digest: desc.Digest, Size: desc.Size}, nil
}

// PutManifest implements types.ImageDestination. An instance of a list is stored at once, the
// image itself by [Destination.Commit]. Its digest is compared with the one that it is put under.
func (d *Destination) PutManifest(ctx context.Context, payload []byte, instance *digest.Digest) error {
	want := d.ref.image.digest
	if instance != nil {
		want = *instance
	}
	algorithm := digest.Canonical
	if want != "" {
		if err := want.Validate(); err != nil {
			return d.ref.wrap(err)
		}
		algorithm = want.Algorithm()
	}
	m, err := manifests.Parse("", algorithm, payload)
	if err != nil {
		return d.ref.wrap(err)
	}
	desc := m.Descriptor()
	if !slices.Contains(mediaTypes, desc.MediaType) {
		return types.ManifestTypeRejectedError{Err: d.ref.wrap(fmt.Errorf("manifest of type %q: %w", desc.MediaType, driver.Unsupported))}
	}
	if want != "" && want != desc.Digest {
		return d.ref.wrap(fmt.Errorf("manifest %s: it has the digest %s: %w", want, desc.Digest, driver.Corrupt))
	}
	if instance != nil {
		return d.ref.wrap(d.manifests.Push(ctx, m))
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.top = m
	return nil
}

var errNoManifest = errors.New("no manifest was put")

// Commit implements types.ImageDestination: it stores the image's manifest, having looked that all
// is there that it names, then its signatures, and then the tag. It goes on when ctx ends in the middle of that. It may
// be called again after it has failed.
func (d *Destination) Commit(ctx context.Context, _ types.UnparsedImage) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.top == nil {
		return d.ref.wrap(errNoManifest)
	}
	var tags []string
	if d.ref.image.tag != "" {
		tags = append(tags, d.ref.image.tag)
	}
	if len(d.signatures) > 0 { // who finds the tag finds them
		err := d.manifests.Push(ctx, d.top)
		if err == nil {
			err = d.sign(ctx, d.top.Descriptor().Digest, d.signatures)
		}
		if err != nil {
			return d.ref.wrap(err)
		}
	}
	return d.ref.wrap(d.manifests.Push(ctx, d.top, tags...))
}
