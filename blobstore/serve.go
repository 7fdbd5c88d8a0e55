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

// ServeBlob answers a GET or HEAD of the blob d. A GET is sent to a signed URL
// where the store signs and redirects are on; else the content is streamed, with
// ranges and conditional requests. Nothing is written to w when it returns an
// error.
func (r *Repository) ServeBlob(ctx context.Context, w http.ResponseWriter, req *http.Request, d digest.Digest) error {
	return r.ServeBlobVia(ctx, w, req, d, r.store.Redirect)
}

// ServeBlobVia is ServeBlob with a say in where a GET is sent.
func (r *Repository) ServeBlobVia(ctx context.Context, w http.ResponseWriter, req *http.Request, d digest.Digest, redirect Redirector) error {
	f, err := r.lookup(ctx, d)
	if err != nil {
		return err
	}
	if req.Method == http.MethodGet {
		url, err := redirect(ctx, req, f.object)
		if err != nil {
			return fmt.Errorf("blob %s: %w", d, err)
		}
		if url != "" {
			w.Header().Set("Docker-Content-Digest", d.String())
			http.Redirect(w, req, url, http.StatusTemporaryRedirect)
			return nil
		}
	}

	h := w.Header()
	h.Set("ETag", `"`+d.String()+`"`)
	h.Set("Cache-Control", "max-age="+strconv.Itoa(int(maxAge.Seconds())))
	h.Set("Docker-Content-Digest", d.String())
	if h.Get("Content-Type") == "" {
		h.Set("Content-Type", contentType)
	}
	body := r.store.openObject(ctx, f.object)
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
