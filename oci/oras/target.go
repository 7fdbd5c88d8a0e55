// Package oras is a repository in a store as an oras.Target of oras-go, so that oras.Copy and
// its like read from a bucket and write to it.
package oras

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/distribution/distribution/v3"
	"github.com/distribution/reference"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2"
	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/errdef"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/manifests"
)

// Target implements oras.GraphTarget. What there is none of is errdef.ErrNotFound.
type Target struct {
	blobs     *blobstore.Repository
	manifests *manifests.Repository
}

var _ oras.GraphTarget = (*Target)(nil)

// New is the repository of that name.
func New(s *blobstore.Store, name string) (*Target, error) {
	named, err := reference.WithName(name)
	if err != nil {
		return nil, fmt.Errorf("repository %q: %w: %w", name, errdef.ErrInvalidReference, err)
	}
	return &Target{s.Repository(named), manifests.New(s).Repository(named, manifests.Options{})}, nil
}

func isManifest(d v1.Descriptor) bool {
	switch d.MediaType {
	case v1.MediaTypeImageManifest, v1.MediaTypeImageIndex, "application/vnd.oci.artifact.manifest.v1+json",
		"application/vnd.docker.distribution.manifest.v2+json", "application/vnd.docker.distribution.manifest.list.v2+json":
		return true
	}
	return false
}

// Fetch implements content.Fetcher.
func (t *Target) Fetch(ctx context.Context, d v1.Descriptor) (io.ReadCloser, error) {
	if !isManifest(d) {
		blob, err := t.blobs.Lookup(ctx, d.Digest)
		if err != nil {
			return nil, notFound(d.Digest.String(), err)
		}
		return blob.Open(ctx), nil
	}
	m, err := t.manifests.Read(ctx, d.Digest)
	if err != nil {
		return nil, notFound(d.Digest.String(), err)
	}
	_, p, err := m.Payload()
	return io.NopCloser(bytes.NewReader(p)), err
}

// Push implements content.Pusher. Content that has another digest or size is an error, and
// leaves nothing.
func (t *Target) Push(ctx context.Context, d v1.Descriptor, r io.Reader) error {
	if !isManifest(d) {
		return t.blobs.Push(ctx, d, r)
	}
	p, err := content.ReadAll(r, d)
	if err != nil {
		return err
	}
	m, err := manifests.Parse(d.MediaType, d.Digest.Algorithm(), p)
	if err != nil {
		return err
	}
	return t.manifests.Push(ctx, m)
}

// Exists implements content.ReadOnlyStorage.
func (t *Target) Exists(ctx context.Context, d v1.Descriptor) (bool, error) {
	if isManifest(d) {
		return t.manifests.Exists(ctx, d.Digest)
	}
	_, err := t.blobs.Lookup(ctx, d.Digest)
	if errors.Is(err, distribution.ErrBlobUnknown) {
		return false, nil
	}
	return err == nil, err
}

// Resolve implements content.Resolver. ref is a tag or a digest.
func (t *Target) Resolve(ctx context.Context, ref string) (v1.Descriptor, error) {
	m, err := t.manifests.Resolve(ctx, ref)
	if err != nil {
		return v1.Descriptor{}, notFound(ref, err)
	}
	desc := m.Descriptor()
	return v1.Descriptor{MediaType: desc.MediaType, Digest: desc.Digest, Size: desc.Size}, nil
}

// Tag implements content.Tagger.
func (t *Target) Tag(ctx context.Context, d v1.Descriptor, tag string) error {
	return t.manifests.Tags().Tag(ctx, tag, d)
}

// Predecessors implements content.PredecessorFinder: the referrers.
func (t *Target) Predecessors(ctx context.Context, d v1.Descriptor) ([]v1.Descriptor, error) {
	return t.manifests.AllReferrers(ctx, d.Digest, "")
}

func notFound(what string, err error) error {
	var (
		noRevision distribution.ErrManifestUnknownRevision
		noTag      distribution.ErrTagUnknown
	)
	if errors.Is(err, distribution.ErrBlobUnknown) || errors.As(err, &noRevision) || errors.As(err, &noTag) {
		return fmt.Errorf("%s: %w: %w", what, errdef.ErrNotFound, err)
	}
	return err
}
