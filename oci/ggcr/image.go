// Package ggcr reads images from a store and writes them to it, for programs that have them
// as go-containerregistry does.
package ggcr

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/distribution/distribution/v3"
	"github.com/distribution/reference"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/opencontainers/go-digest"
	spec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/manifests"
)

// parallel is how many layers are written at the same time.
const parallel = 4

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

// Write stores an image, without the layers that the repository has, and tags it unless tag
// is "".
func (r *Repository) Write(ctx context.Context, tag string, img v1.Image) error {
	layers, err := img.Layers()
	if err != nil {
		return err
	}
	config, err := partial.ConfigLayer(img)
	if err != nil {
		return err
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(parallel)
	for _, l := range append(layers, config) {
		g.Go(func() error { return r.writeLayer(gctx, l) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	raw, err := img.RawManifest()
	if err != nil {
		return err
	}
	mediaType, err := img.MediaType()
	if err != nil {
		return err
	}
	m, err := manifests.Parse(string(mediaType), digest.Canonical, raw)
	if err != nil {
		return err
	}
	if tag == "" {
		return r.manifests.Push(ctx, m)
	}
	return r.manifests.Push(ctx, m, tag)
}

func (r *Repository) writeLayer(ctx context.Context, l v1.Layer) error {
	hash, err := l.Digest()
	if err != nil {
		return err
	}
	d := digest.Digest(hash.String())
	if _, err := r.blobs.Lookup(ctx, d); !errors.Is(err, distribution.ErrBlobUnknown) {
		return err
	}
	size, err := l.Size()
	if err != nil {
		return err
	}
	rd, err := l.Compressed()
	if err != nil {
		return err
	}
	defer rd.Close()
	return r.blobs.Push(ctx, spec.Descriptor{Digest: d, Size: size}, rd)
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
