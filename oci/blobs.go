package oci

import (
	"context"
	"errors"
	"io"
	"net/http"

	"cuelabs.dev/go/oci/ociregistry"
	"github.com/distribution/reference"

	"github.com/blobdock/blobdock/blobstore"
)

// reader implements ociregistry.BlobReader.
type reader struct {
	io.Reader
	io.Closer
	desc ociregistry.Descriptor
}

func (r *reader) Descriptor() ociregistry.Descriptor { return r.desc }

func (r *registry) lookup(ctx context.Context, repo string, d ociregistry.Digest) (*blobstore.Blob, error) {
	b, err := r.blobs(repo)
	if err != nil {
		return nil, err
	}
	blob, err := b.Lookup(ctx, d)
	return blob, asOCI(err)
}

// GetBlob implements ociregistry.Reader.
func (r *registry) GetBlob(ctx context.Context, repo string, d ociregistry.Digest) (ociregistry.BlobReader, error) {
	blob, err := r.lookup(ctx, repo, d)
	if err != nil {
		return nil, err
	}
	rd := blob.Open(ctx)
	return &reader{rd, rd, blob.Descriptor()}, nil
}

// GetBlobRange implements ociregistry.Reader. ociregistry.ErrRangeInvalid where the range
// begins behind the end.
func (r *registry) GetBlobRange(ctx context.Context, repo string, d ociregistry.Digest, from, to int64) (ociregistry.BlobReader, error) {
	blob, err := r.lookup(ctx, repo, d)
	if err != nil {
		return nil, err
	}
	size := blob.Size()
	if to < 0 || to > size {
		to = size
	}
	if from < 0 || from > to {
		return nil, ociregistry.ErrRangeInvalid
	}
	rd := blob.Open(ctx)
	if _, err := rd.Seek(from, io.SeekStart); err != nil {
		return nil, errors.Join(asOCI(err), rd.Close())
	}
	return &reader{io.LimitReader(rd, to-from), rd, blob.Descriptor()}, nil
}

// ResolveBlob implements ociregistry.Reader.
func (r *registry) ResolveBlob(ctx context.Context, repo string, d ociregistry.Digest) (ociregistry.Descriptor, error) {
	blob, err := r.lookup(ctx, repo, d)
	if err != nil {
		return ociregistry.Descriptor{}, err
	}
	desc := blob.Descriptor()
	if r.options.Redirect {
		u, err := r.friend.SignKey(ctx, http.MethodGet, blob.Key())
		if err != nil {
			return ociregistry.Descriptor{}, asOCI(err)
		}
		if u != "" {
			desc.URLs = []string{u}
		}
	}
	return desc, nil
}

// PushBlob implements ociregistry.Writer. A negative size is any.
func (r *registry) PushBlob(ctx context.Context, repo string, desc ociregistry.Descriptor, content io.Reader) (ociregistry.Descriptor, error) {
	b, err := r.blobs(repo)
	if err == nil {
		err = r.writable()
	}
	if err != nil {
		return ociregistry.Descriptor{}, err
	}
	desc, err = b.PushAny(ctx, desc, content)
	return desc, asOCI(err)
}

// MountBlob implements ociregistry.Writer.
func (r *registry) MountBlob(ctx context.Context, from, to string, d ociregistry.Digest) (ociregistry.Descriptor, error) {
	b, err := r.blobs(to)
	if err == nil {
		err = r.writable()
	}
	if err != nil {
		return ociregistry.Descriptor{}, err
	}
	source, err := named(from)
	if err != nil {
		return ociregistry.Descriptor{}, err
	}
	at, err := reference.WithDigest(source, d)
	if err != nil {
		return ociregistry.Descriptor{}, ociregistry.ErrDigestInvalid
	}
	desc, err := b.Mount(ctx, at)
	return desc, asOCI(err)
}

// DeleteBlob implements ociregistry.Deleter.
func (r *registry) DeleteBlob(ctx context.Context, repo string, d ociregistry.Digest) error {
	b, err := r.blobs(repo)
	if err == nil {
		err = r.writable()
	}
	if err != nil {
		return err
	}
	return asOCI(b.Delete(ctx, d))
}
