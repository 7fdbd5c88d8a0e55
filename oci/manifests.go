package oci

import (
	"bytes"
	"context"
	"errors"
	"io"
	"iter"

	"cuelabs.dev/go/oci/ociregistry"
	"github.com/distribution/distribution/v3"
	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/manifests"
)

// readManifest reads the manifest that a tag or a digest names.
func (r *registry) readManifest(ctx context.Context, repo, ref string) (*manifests.Manifest, error) {
	m, err := r.manifestsOf(repo)
	if err != nil {
		return nil, err
	}
	found, err := m.Resolve(ctx, ref)
	return found, asOCI(err)
}

// brief is what Resolve methods tell.
func brief(m *manifests.Manifest) ociregistry.Descriptor {
	d := m.Descriptor()
	return ociregistry.Descriptor{MediaType: d.MediaType, Digest: d.Digest, Size: d.Size}
}

// GetManifest implements ociregistry.Reader.
func (r *registry) GetManifest(ctx context.Context, repo string, d ociregistry.Digest) (ociregistry.BlobReader, error) {
	return r.GetTag(ctx, repo, d.String())
}

// GetTag implements ociregistry.Reader.
func (r *registry) GetTag(ctx context.Context, repo, tag string) (ociregistry.BlobReader, error) {
	m, err := r.readManifest(ctx, repo, tag)
	if err != nil {
		return nil, err
	}
	_, content, err := m.Payload()
	return &reader{bytes.NewReader(content), io.NopCloser(nil), brief(m)}, err
}

// ResolveManifest implements ociregistry.Reader.
func (r *registry) ResolveManifest(ctx context.Context, repo string, d ociregistry.Digest) (ociregistry.Descriptor, error) {
	return r.ResolveTag(ctx, repo, d.String())
}

// ResolveTag implements ociregistry.Reader.
func (r *registry) ResolveTag(ctx context.Context, repo, tag string) (ociregistry.Descriptor, error) {
	m, err := r.readManifest(ctx, repo, tag)
	if err != nil {
		return ociregistry.Descriptor{}, err
	}
	return brief(m), nil
}

// PushManifest implements ociregistry.Writer.
func (r *registry) PushManifest(ctx context.Context, repo, tag string, content []byte, mediaType string) (ociregistry.Descriptor, error) {
	repository, err := r.manifestsOf(repo)
	if err == nil {
		err = r.writable()
	}
	if err != nil {
		return ociregistry.Descriptor{}, err
	}
	m, err := manifests.Parse(mediaType, digest.Canonical, content)
	if err != nil {
		return ociregistry.Descriptor{}, asOCI(err)
	}
	var tags []string
	if tag != "" {
		tags = append(tags, tag)
	}
	return brief(m), asOCI(repository.Push(ctx, m, tags...))
}

// DeleteManifest implements ociregistry.Deleter.
func (r *registry) DeleteManifest(ctx context.Context, repo string, d ociregistry.Digest) error {
	m, err := r.manifestsOf(repo)
	if err == nil {
		err = r.writable()
	}
	if err != nil {
		return err
	}
	err = m.Delete(ctx, d)
	if errors.Is(err, distribution.ErrBlobUnknown) {
		return ociregistry.ErrManifestUnknown
	}
	return asOCI(err)
}

// DeleteTag implements ociregistry.Deleter. The manifest stays.
func (r *registry) DeleteTag(ctx context.Context, repo, tag string) error {
	m, err := r.manifestsOf(repo)
	if err == nil {
		err = r.writable()
	}
	if err != nil {
		return err
	}
	return asOCI(m.Tags().Untag(ctx, tag))
}

// page is how many tags are listed at a time.
const page = 1000

// Tags implements ociregistry.Lister.
func (r *registry) Tags(ctx context.Context, repo, startAfter string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		m, err := r.manifestsOf(repo)
		for more := err == nil; more; {
			var tags []string
			tags, err = m.Tags().List(ctx, page, startAfter)
			more = err == nil
			if errors.Is(err, io.EOF) {
				err = nil
			}
			for _, tag := range tags {
				if !yield(tag, nil) {
					return
				}
				startAfter = tag
			}
		}
		if err != nil {
			yield("", asOCI(err))
		}
	}
}

// Referrers implements ociregistry.Lister.
func (r *registry) Referrers(ctx context.Context, repo string, d ociregistry.Digest, artifactType string) iter.Seq2[ociregistry.Descriptor, error] {
	return func(yield func(ociregistry.Descriptor, error) bool) {
		m, err := r.manifestsOf(repo)
		var found []ociregistry.Descriptor
		if err == nil {
			found, err = m.AllReferrers(ctx, d, artifactType)
		}
		if err != nil {
			yield(ociregistry.Descriptor{}, asOCI(err))
			return
		}
		for _, desc := range found {
			if !yield(desc, nil) {
				return
			}
		}
	}
}
