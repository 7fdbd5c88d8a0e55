// Package ggcr reads images from a store and writes them to it, for programs that have them
// as go-containerregistry does.
package ggcr

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"github.com/distribution/distribution/v3"
	"github.com/distribution/reference"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/opencontainers/go-digest"
	spec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/manifests"
)

// Repository is the images of one repository.
type Repository struct {
	blobs     *blobstore.Repository
	manifests *manifests.Repository
}

// New is the repository of that name.
func New(s *blobstore.Store, name string) (*Repository, error) {
	named, err := reference.WithName(name)
	if err != nil {
		return nil, fmt.Errorf("repository %q: %w", name, err)
	}
	return &Repository{s.Repository(named), manifests.New(s).Repository(named, manifests.Options{})}, nil
}

// Image is the image that a tag or digest names. Its layers are read when they are asked for,
// under ctx.
func (r *Repository) Image(ctx context.Context, ref string) (v1.Image, error) {
	m, err := r.manifests.Resolve(ctx, ref)
	if err != nil {
		return nil, err
	}
	return partial.CompressedToImage(&image{ctx, r, m})
}

// image implements partial.CompressedImageCore.
type image struct {
	ctx        context.Context // its methods have none
	repository *Repository
	manifest   *manifests.Manifest
}

func (i *image) MediaType() (types.MediaType, error) {
	return types.MediaType(i.manifest.Descriptor().MediaType), nil
}

func (i *image) RawManifest() ([]byte, error) {
	_, p, err := i.manifest.Payload()
	return p, err
}

func (i *image) RawConfigFile() ([]byte, error) {
	raw, _ := i.RawManifest()
	m, err := v1.ParseManifest(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	return i.repository.blobs.Get(i.ctx, digest.Digest(m.Config.Digest.String()))
}

func (i *image) LayerByDigest(h v1.Hash) (partial.CompressedLayer, error) {
	for _, ref := range i.manifest.References() {
		if ref.Digest.String() == h.String() {
			return &layer{i, ref, h}, nil
		}
	}
	return nil, fmt.Errorf("layer %v: %w", h, distribution.ErrBlobUnknown)
}

// layer implements partial.CompressedLayer.
type layer struct {
	image *image
	desc  spec.Descriptor
	hash  v1.Hash
}

func (l *layer) Digest() (v1.Hash, error) { return l.hash, nil }

func (l *layer) Size() (int64, error) { return l.desc.Size, nil }

func (l *layer) MediaType() (types.MediaType, error) { return types.MediaType(l.desc.MediaType), nil }

func (l *layer) Compressed() (io.ReadCloser, error) {
	blob, err := l.image.repository.blobs.Lookup(l.image.ctx, l.desc.Digest)
	if err != nil {
		return nil, err
	}
	return blob.Open(l.image.ctx), nil
}
