package ggcr

import (
	"context"
	"errors"

	"github.com/distribution/distribution/v3"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/opencontainers/go-digest"
	spec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"

	"github.com/blobdock/blobdock/manifests"
)

// parallel is how many layers are written at the same time.
const parallel = 4

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
