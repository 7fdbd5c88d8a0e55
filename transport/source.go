package transport

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/distribution/distribution/v3"
	"github.com/opencontainers/go-digest"
	"go.podman.io/image/v5/types"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/manifests"
	"github.com/blobdock/blobdock/signatures"
)

// Source reads an image of a bucket. It is safe for concurrent use.
type Source struct {
	ref       Reference
	bucket    *bucket
	manifests *manifests.Repository
	blobs     *blobstore.Repository
	top       *manifests.Manifest // that the reference names
}

var _ types.ImageSource = (*Source)(nil)

func (r Reference) newSource(ctx context.Context) (*Source, error) {
	b, err := openExisting(ctx, r.storage)
	if err != nil {
		return nil, r.wrap(err)
	}
	s := &Source{ref: r, bucket: b}
	s.manifests, s.blobs = b.repository(r.image.repository)
	if s.top, err = s.manifests.Resolve(ctx, r.image.ref()); err != nil {
		return nil, errors.Join(r.wrap(err), b.Close())
	}
	return s, nil
}

// Reference implements types.ImageSource.
func (s *Source) Reference() types.ImageReference { return s.ref }

// Close implements types.ImageSource.
func (s *Source) Close() error { return s.bucket.Close() }

// GetManifest implements types.ImageSource. The manifest has the digest that it is asked by; by a
// tag it is the one that the tag was when the Source was made.
func (s *Source) GetManifest(ctx context.Context, instance *digest.Digest) ([]byte, string, error) {
	m := s.top
	if instance != nil {
		var err error
		if m, err = s.manifests.Read(ctx, *instance); err != nil {
			return nil, "", s.ref.wrap(err)
		}
	}
	mediaType, payload, err := m.Payload()
	return payload, mediaType, err
}

// GetBlob implements types.ImageSource. The reader survives broken connections, and does not
// compare the digest. It ends with ctx.
func (s *Source) GetBlob(ctx context.Context, info types.BlobInfo, _ types.BlobInfoCache) (io.ReadCloser, int64, error) {
	b, err := s.lookup(ctx, info)
	if err != nil {
		return nil, 0, err
	}
	return b.Open(ctx), b.Size(), nil
}

// lookup finds a blob, which the repository must have: nothing is fetched from other URLs.
func (s *Source) lookup(ctx context.Context, info types.BlobInfo) (*blobstore.Blob, error) {
	b, err := s.blobs.Lookup(ctx, info.Digest)
	if errors.Is(err, distribution.ErrBlobUnknown) {
		err = driver.NotFound
	}
	if err != nil {
		return nil, s.ref.wrap(fmt.Errorf("blob %s: %w", info.Digest, err))
	}
	return b, nil
}

// HasThreadSafeGetBlob implements types.ImageSource.
func (*Source) HasThreadSafeGetBlob() bool { return true }

// GetSignatures implements types.ImageSource: those of OpenPGP, as [Destination.PutSignatures] and
// the extension for signatures of a registry keep them.
func (s *Source) GetSignatures(ctx context.Context, instance *digest.Digest) (all [][]byte, err error) {
	d := s.top.Descriptor().Digest
	if instance != nil {
		d = *instance
	}
	found, err := signatures.NewExtension(s.manifests).Get(ctx, d)
	for _, one := range found {
		all = append(all, one.Content)
	}
	return all, s.ref.wrap(err)
}

// LayerInfosForCopy implements types.ImageSource: those of the manifest.
func (*Source) LayerInfosForCopy(context.Context, *digest.Digest) ([]types.BlobInfo, error) {
	return nil, nil
}
