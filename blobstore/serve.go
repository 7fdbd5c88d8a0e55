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

// ServeBlob answers a GET or HEAD of the blob d. A GET is sent to a signed URL
// where the store signs and redirects are on; else the content is streamed, with
// ranges and conditional requests. Nothing is written to w when it returns an
// error.
func (r *Repository) ServeBlob(ctx context.Context, w http.ResponseWriter, req *http.Request, d digest.Digest) error {
	f, err := r.lookup(ctx, d)
	if err != nil {
		return err
	}
	if sign := r.store.features.Sign; sign != nil && req.Method == http.MethodGet && r.store.options.RedirectExpiry > 0 {
		u, err := sign(ctx, driver.SignRequest{
			Method: http.MethodGet, Key: f.object.Key, Expires: r.store.options.RedirectExpiry, ContentType: contentType,
		})
		if err != nil {
			return fmt.Errorf("blob %s: %w", d, err)
		}
		w.Header().Set("Docker-Content-Digest", d.String())
		http.Redirect(w, req, u.URL, http.StatusTemporaryRedirect)
		return nil
	}

	h := w.Header()
	h.Set("ETag", `"`+d.String()+`"`)
	h.Set("Cache-Control", "max-age="+strconv.Itoa(int(maxAge.Seconds())))
	h.Set("Docker-Content-Digest", d.String())
	if h.Get("Content-Type") == "" {
		h.Set("Content-Type", contentType)
	}
	body := r.store.open(ctx, f)
	defer body.Close()
	http.ServeContent(w, req, "", time.Time{}, body)
	return nil
}
