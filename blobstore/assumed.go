package blobstore

import (
	"context"
	"io"
	"net/http"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/redirect"
)

// prefetched is the most bytes of a blob that are read before its link is known to be there.
const prefetched = 64 << 10

// LookupFor finds the blob d for [Blob.Serve] to answer req. Errors are those of Lookup.
//
// Where a manifest that this process has read tells the size, a GET that will be sent to the
// store costs one read, of the link: the store itself answers 404 then, should the link lead
// nowhere, and the Blob's Size is what the manifest says. A small blob that will be streamed is
// read along with its link.
func (r *Repository) LookupFor(ctx context.Context, req *http.Request, d digest.Digest) (*Blob, error) {
	size, announced := r.store.sizes.Get(d)
	if checkDigest(d) != nil || !announced || req.Method != http.MethodGet {
		return r.Lookup(ctx, d)
	}
	b := &Blob{store: r.store, repository: r.name, digest: d, target: d, assumed: true}
	b.object = driver.Object{Key: r.store.layout.Blob(d), Size: size}
	sent := r.store.decide(req, b) == redirect.Signed
	switch kept := r.store.lookups.get(ctx, r.name, d); {
	case kept != nil && (sent || !kept.assumed):
		return kept, nil
	case sent:
		return r.assume(ctx, b)
	case size > prefetched:
		return r.lookupUncached(ctx, d, r.store.statBlob)
	}
	return r.lookupContent(ctx, d)
}

// assume is b, where the repository has a link to it.
func (r *Repository) assume(ctx context.Context, b *Blob) (*Blob, error) {
	epoch := r.store.cacheEpoch.Load()
	link, err := r.readLink(ctx, b.digest)
	if err != nil {
		return nil, err
	}
	// Tools that pack what they write pack all of a bucket. A packed blob is streamed, see
	// redirect.Encoded.
	if link.target != b.digest || link.object.ContentEncoding != "" {
		return r.lookupUncached(ctx, b.digest, r.store.statBlob)
	}
	r.cachePut(ctx, b, epoch)
	return b, nil
}

// lookupContent finds a blob that is said to be small, with its content.
func (r *Repository) lookupContent(ctx context.Context, d digest.Digest) (*Blob, error) {
	var content []byte
	b, err := r.lookupUncached(ctx, d, func(ctx context.Context, d digest.Digest) (driver.Object, error) {
		content = nil // of the digest itself, where the link leads to another
		rd, err := r.store.bucket.Open(ctx, r.store.layout.Blob(d), driver.Range{}, driver.ReadOptions{})
		if err != nil {
			return driver.Object{}, foundBlob(d, driver.Object{}, err)
		}
		defer rd.Close()
		if rd.Object.Size <= prefetched {
			// Where the connection breaks, the blob's reader begins anew, and survives more of that.
			if p, err := io.ReadAll(rd); err == nil {
				content = p
			}
		}
		return rd.Object, foundBlob(d, rd.Object, nil)
	})
	if err != nil {
		return nil, err
	}
	b.content = content
	return b, nil
}

// found is b, or what is there where that was only assumed.
func (b *Blob) found(ctx context.Context) (*Blob, error) {
	if !b.assumed {
		return b, nil
	}
	return (&Repository{b.store, b.repository}).lookupUncached(ctx, b.digest, b.store.statBlob)
}

func (s internals) Announce(blobs []v1.Descriptor) {
	for _, desc := range blobs {
		s.sizes.Add(desc.Digest, desc.Size)
	}
}
