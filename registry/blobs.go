package registry

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/distribution/distribution/v3"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/redirect"
)

// blobs is one repository's blob store for one request.
type blobs struct {
	*blobstore.Repository
	inner      distribution.BlobStore
	namespace  *namespace
	repository *repository
	// last is what was found last: distribution's handler asks for a blob's
	// descriptor, then to serve it, and its notifications for the descriptor again.
	last atomic.Pointer[blobstore.Blob]
}

var (
	_ distribution.BlobStore          = (*blobs)(nil)
	_ distribution.BlobEnumerator     = (*blobs)(nil)
	_ distribution.ManifestEnumerator = (*blobs)(nil) // what garbage collection asks for here
)

// Stat implements distribution.BlobStatter.
func (b *blobs) Stat(ctx context.Context, d digest.Digest) (v1.Descriptor, error) {
	blob, err := b.find(ctx, d)
	if err != nil {
		return v1.Descriptor{}, recordError(ctx, err)
	}
	return blob.Descriptor(), nil
}

func (b *blobs) find(ctx context.Context, d digest.Digest) (*blobstore.Blob, error) {
	if blob := b.last.Load(); blob != nil && blob.Descriptor().Digest == d {
		return blob, nil
	}
	blob, err := b.lookup(ctx, d)
	if err == nil {
		b.last.Store(blob)
	}
	return blob, err
}

// lookup looks less closely at what a GET will be sent to the store for, see
// [blobstore.Repository.LookupFor]. It looks for the blob where a storage middleware, such as
// cloudfront, has its own say in redirects, and in a pull-through cache, which evicts a blob of
// all repositories and the link of one: the others must find that the blob is gone.
func (b *blobs) lookup(ctx context.Context, d digest.Digest) (*blobstore.Blob, error) {
	r, n := b.namespace.driver.friend.Request(ctx), b.namespace
	if r == nil || n.cache || n.outer != n.driver || !strings.HasSuffix(r.URL.Path, "/blobs/"+d.String()) {
		return b.Lookup(ctx, d)
	}
	return b.LookupFor(ctx, r, d)
}

// Get implements distribution.BlobProvider.
func (b *blobs) Get(ctx context.Context, d digest.Digest) ([]byte, error) {
	p, err := b.Repository.Get(ctx, d)
	return p, recordError(ctx, err)
}

// Open implements distribution.BlobProvider.
func (b *blobs) Open(ctx context.Context, d digest.Digest) (io.ReadSeekCloser, error) {
	r, err := b.Repository.Open(ctx, d)
	return r, recordError(ctx, err)
}

// ServeBlob implements distribution.BlobServer.
func (b *blobs) ServeBlob(ctx context.Context, w http.ResponseWriter, r *http.Request, d digest.Digest) error {
	to := b.namespace.driver.store.Redirect
	if b.namespace.outer != b.namespace.driver {
		// A storage middleware, such as cloudfront, has its own say.
		to = func(_ context.Context, r *http.Request, blob *blobstore.Blob) (string, error) {
			if _, local := redirect.Local(r); local || r.Method != http.MethodGet {
				return "", nil
			}
			return b.namespace.outer.RedirectURL(r, "/"+blob.Key())
		}
	}
	blob, err := b.find(ctx, d)
	if err != nil {
		return recordError(ctx, err)
	}
	return recordError(ctx, blob.Serve(ctx, w, r, to))
}

// Put implements distribution.BlobIngester.
func (b *blobs) Put(ctx context.Context, mediaType string, p []byte) (v1.Descriptor, error) {
	desc, err := b.Repository.Put(ctx, mediaType, p)
	return desc, recordError(ctx, err)
}

// Create implements distribution.BlobIngester.
func (b *blobs) Create(ctx context.Context, options ...distribution.BlobCreateOption) (distribution.BlobWriter, error) {
	if s := signaturesOf(ctx); s != nil {
		return nil, s.put(ctx, b.repository.Named(), b.repository.manifestsFor(ctx))
	}
	b.share(ctx)
	w, err := b.Repository.Create(ctx, options...)
	return noting(ctx, w, err)
}

// Resume implements distribution.BlobIngester.
func (b *blobs) Resume(ctx context.Context, id string) (distribution.BlobWriter, error) {
	b.share(ctx)
	w, err := b.Repository.Resume(ctx, id)
	return noting(ctx, w, err)
}

// Delete implements distribution.BlobDeleter. Distribution's own does it: it
// knows whether deletion is enabled, and has a cache that must forget the blob.
func (b *blobs) Delete(ctx context.Context, d digest.Digest) error {
	b.last.Store(nil)
	err := b.inner.Delete(ctx, d)
	b.Forget(ctx, d)
	return recordError(ctx, err)
}

// writer notes the errors of an upload for the HTTP answer.
type writer struct {
	distribution.BlobWriter
	ctx context.Context // distribution.BlobWriter's ReadFrom has none
}

func noting(ctx context.Context, w distribution.BlobWriter, err error) (distribution.BlobWriter, error) {
	if err != nil {
		return nil, recordError(ctx, err)
	}
	return &writer{w, ctx}, nil
}

func (w *writer) ReadFrom(r io.Reader) (int64, error) {
	n, err := w.BlobWriter.ReadFrom(r)
	return n, recordError(w.ctx, err)
}

func (w *writer) Commit(ctx context.Context, d v1.Descriptor) (v1.Descriptor, error) {
	desc, err := w.BlobWriter.Commit(ctx, d)
	return desc, recordError(ctx, err)
}

func (w *writer) Cancel(ctx context.Context) error {
	return recordError(ctx, w.BlobWriter.Cancel(ctx))
}
