package blobstore

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/distribution/distribution/v3"
	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/redirect"
)

// cacheControl is for as long as HTTP knows: a blob can't change.
var cacheControl = "max-age=" + strconv.Itoa(int((365 * 24 * time.Hour).Seconds()))

// Redirector finds the URL that a request for b is sent to, "" to answer it here.
type Redirector func(ctx context.Context, req *http.Request, b *Blob) (string, error)

// ServeBlob answers a GET or HEAD of the blob d, see [Blob.Serve].
func (r *Repository) ServeBlob(ctx context.Context, w http.ResponseWriter, req *http.Request, d digest.Digest) error {
	ctx = WithRequest(ctx, req)
	b, err := r.Lookup(ctx, d)
	if err != nil {
		return err
	}
	return b.Serve(ctx, w, req, r.store.Redirect)
}

// Serve answers a GET or HEAD of the blob. It is sent to where redirect says, unless the
// object has a Content-Encoding; else the content is streamed as it is stored, with ranges and conditional requests. Nothing is
// written to w when it returns an error.
func (b *Blob) Serve(ctx context.Context, w http.ResponseWriter, req *http.Request, redirect Redirector) (err error) {
	ctx, span := traced(ctx, "serve", b.repository, "", b.digest)
	defer span.end(&err)
	url, err := redirect(ctx, req, b)
	if err != nil {
		return fmt.Errorf("blob %s: %w", b.digest, err)
	}
	h := w.Header()
	h.Set("Docker-Content-Digest", b.digest.String())
	if url != "" && b.object.ContentEncoding == "" {
		http.Redirect(w, req, url, http.StatusTemporaryRedirect)
		return nil
	}
	return b.stream(ctx, w, req)
}

// streamed are the headers of an answer with content, which one without must not
// have.
var streamed = []string{"ETag", "Cache-Control", "Content-Type", "Content-Length", "Content-Range", "Accept-Ranges", "Docker-Content-Digest"}

func (b *Blob) stream(ctx context.Context, w http.ResponseWriter, req *http.Request) error {
	h := w.Header()
	given := h.Get("Content-Type")
	h.Set("ETag", `"`+b.digest.String()+`"`)
	h.Set("Cache-Control", cacheControl)
	if given == "" {
		h.Set("Content-Type", contentType)
	}
	if strings.Contains(req.Header.Get("Range"), ",") {
		// Several ranges are answered by the whole, as S3 does it: to interleave them
		// with boundaries helps no client that there is.
		req = req.Clone(ctx)
		req.Header.Del("Range")
	}
	body := b.open(ctx)
	defer body.Close()
	out := &deferredHeaderWriter{ResponseWriter: w}
	http.ServeContent(out, req, "", time.Time{}, body)
	switch {
	case body.failed == nil || ctx.Err() != nil:
	case !out.sent:
		for _, name := range streamed {
			h.Del(name)
		}
		if given != "" {
			h.Set("Content-Type", given)
		}
		if errors.Is(body.failed, driver.NotFound) {
			return distribution.ErrBlobUnknown
		}
		return fmt.Errorf("blob %s: %w", b.digest, body.failed)
	default:
		// The client finds fewer bytes than were announced.
		b.store.options.Log.WarnContext(ctx, "pull breaks off", "repository", b.repository, "digest", b.digest, "cause", body.failed)
	}
	out.flush()
	return nil
}

// Redirect is the Redirector of the Store's own policy. A blob whose URL can't be
// signed is answered here.
func (s *Store) Redirect(ctx context.Context, req *http.Request, b *Blob) (string, error) {
	reason := s.options.Redirect.Decide(req, b.repository, b.object.Size)
	switch {
	case reason != redirect.Signed:
	case s.urls == nil:
		reason = redirect.Unsigned
	case b.object.ContentEncoding != "":
		reason = redirect.Encoded
	}
	var url string
	if reason == redirect.Signed {
		var err error
		url, err = s.sign(ctx, req.Method, b.object.Key)
		switch {
		case err == nil:
		case ctx.Err() != nil:
			return "", err
		default:
			reason = redirect.SigningFails
			s.options.Log.WarnContext(ctx, "no signed URL, the blob is streamed", "repository", b.repository, "digest", b.digest, "cause", err)
		}
	}
	s.options.Log.DebugContext(ctx, "blob served", "repository", b.repository, "digest", b.digest, "method", req.Method, "redirect", reason)
	if s.options.OnServed != nil {
		s.options.OnServed(reason)
	}
	return url, nil
}

func (s internals) SignKey(ctx context.Context, method, key string) (string, error) {
	if s.options.Redirect.Off || s.urls == nil {
		return "", nil
	}
	return s.sign(ctx, method, key)
}

func (s *Store) sign(ctx context.Context, method, key string) (string, error) {
	u, err := s.urls.Get(ctx, driver.SignRequest{Method: method, Key: key, ContentType: contentType, CacheControl: cacheControl})
	return u.URL, err
}
