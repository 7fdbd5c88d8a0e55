package blobstore

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/driver"
)

// maxAge is how long a blob may be cached: as long as HTTP knows, it can't change.
const maxAge = 365 * 24 * time.Hour

// Redirector finds the URL that a GET of obj is sent to, "" to stream it.
type Redirector func(ctx context.Context, req *http.Request, obj driver.Object) (string, error)

// ServeBlob answers a GET or HEAD of the blob d, see [Blob.Serve].
func (r *Repository) ServeBlob(ctx context.Context, w http.ResponseWriter, req *http.Request, d digest.Digest) error {
	b, err := r.Lookup(ctx, d)
	if err != nil {
		return err
	}
	return b.Serve(ctx, w, req, r.store.Redirect)
}

// Serve answers a GET or HEAD of the blob. A GET is sent to where redirect says;
// else the content is streamed, with ranges and conditional requests. Nothing is
// written to w when it returns an error.
func (b *Blob) Serve(ctx context.Context, w http.ResponseWriter, req *http.Request, redirect Redirector) error {
	if req.Method == http.MethodGet {
		url, err := redirect(ctx, req, b.object)
		if err != nil {
			return fmt.Errorf("blob %s: %w", b.digest, err)
		}
		if url != "" {
			w.Header().Set("Docker-Content-Digest", b.digest.String())
			http.Redirect(w, req, url, http.StatusTemporaryRedirect)
			return nil
		}
	}

	h := w.Header()
	h.Set("ETag", `"`+b.digest.String()+`"`)
	h.Set("Cache-Control", "max-age="+strconv.Itoa(int(maxAge.Seconds())))
	h.Set("Docker-Content-Digest", b.digest.String())
	if h.Get("Content-Type") == "" {
		h.Set("Content-Type", contentType)
	}
	body := b.open(ctx)
	defer body.Close()
	http.ServeContent(w, req, "", time.Time{}, body)
	return nil
}

// Redirect signs a URL for req's method on obj, or returns "" when the store
// does not sign or redirects are off.
func (s *Store) Redirect(ctx context.Context, req *http.Request, obj driver.Object) (string, error) {
	if s.features.Sign == nil || s.options.RedirectExpiry < 0 {
		return "", nil
	}
	u, err := s.features.Sign(ctx, driver.SignRequest{
		Method: req.Method, Key: obj.Key, Expires: s.options.RedirectExpiry, ContentType: contentType,
	})
	return u.URL, err
}
