package layers

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/distribution/distribution/v3"
	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
)

// layer implements Layer.
type layer struct {
	io.ReadSeekCloser
	service *Service
	digest  digest.Digest
	blob    *blobstore.Blob
	closed  bool
}

var _ Layer = (*layer)(nil)

func (l *layer) Name() string          { return l.service.name }
func (l *layer) Digest() digest.Digest { return l.digest }
func (l *layer) Length() int64         { return l.blob.Size() }
func (l *layer) CreatedAt() time.Time  { return l.blob.ModTime() }

// Read implements io.Reader.
func (l *layer) Read(p []byte) (int, error) {
	if l.closed {
		return 0, ErrLayerClosed
	}
	return l.ReadSeekCloser.Read(p)
}

// Seek implements io.Seeker.
func (l *layer) Seek(offset int64, whence int) (int64, error) {
	if l.closed {
		return 0, ErrLayerClosed
	}
	return l.ReadSeekCloser.Seek(offset, whence)
}

// Close implements io.Closer. It may be called again.
func (l *layer) Close() error {
	l.closed = true
	return l.ReadSeekCloser.Close()
}

// Handler implements Layer. The handler works after Close as well.
func (l *layer) Handler(r *http.Request) (http.Handler, error) {
	url, err := l.service.store.Redirect(l.service.ctx, r, l.blob)
	if err != nil {
		return nil, err
	}
	signed := func(context.Context, *http.Request, *blobstore.Blob) (string, error) { return url, nil }
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := l.blob.Serve(blobstore.WithRequest(r.Context(), r), w, r, signed); err != nil {
			http.Error(w, "layer "+l.digest.String()+" can't be read", statusOf(err))
		}
	}), nil
}

func statusOf(err error) int {
	switch {
	case errors.Is(err, distribution.ErrBlobUnknown):
		return http.StatusNotFound
	case driver.KindOf(err).Temporary():
		return http.StatusServiceUnavailable
	default:
		return http.StatusInternalServerError
	}
}
