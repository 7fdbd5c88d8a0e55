package blobstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
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
	b, err := r.LookupFor(ctx, req, d)
	if err != nil {
		return err
	}
	return b.Serve(ctx, w, req, r.store.Redirect)
}

// Serve answers a GET or HEAD of the blob. It is sent to where redirect says, unless the
// object has a Content-Encoding; else the content is streamed as it is stored, with ranges,
// also several at once, and conditional requests. A HEAD has the status and the headers of
// the GET that is streamed.
//
// Content-Type, ETag, Cache-Control and Docker-Content-Digest stand as the caller has set
// them in w. When Serve returns an error, nothing is written to w and its headers are as
// before.
func (b *Blob) Serve(ctx context.Context, w http.ResponseWriter, req *http.Request, redirect Redirector) (err error) {
	ctx, span := traced(ctx, "serve", b.repository, "", b.digest)
	defer span.end(&err)
	url, err := redirect(ctx, req, b)
	if err != nil {
		return fmt.Errorf("blob %s: %w", b.digest, err)
	}
	h := w.Header()
	before := maps.Clone(h)
	setAbsent(h, "Docker-Content-Digest", b.digest.String())
	if url != "" && b.object.ContentEncoding == "" {
		http.Redirect(w, req, url, http.StatusTemporaryRedirect)
		return nil
	}
	b, err = b.found(ctx)
	if err == nil {
		err = b.stream(ctx, w, req)
	}
	if err != nil {
		clear(h)
		maps.Copy(h, before)
	}
	return err
}

func setAbsent(h http.Header, name, value string) {
	if h.Get(name) == "" {
		h.Set(name, value)
	}
}

func (b *Blob) stream(ctx context.Context, w http.ResponseWriter, req *http.Request) error {
	h := w.Header()
	setAbsent(h, "ETag", `"`+b.digest.String()+`"`)
	setAbsent(h, "Cache-Control", cacheControl)
	setAbsent(h, "Content-Type", contentType)
	out := &deferredHeaderWriter{ResponseWriter: w}
	req, body := b.requested(ctx, out, req)
	defer body.Close()
	http.ServeContent(out, req, "", time.Time{}, body)
	switch failed := body.failure(); {
	case failed == nil || ctx.Err() != nil:
	case !out.sent && errors.Is(failed, driver.NotFound):
		return distribution.ErrBlobUnknown
	case !out.sent:
		return fmt.Errorf("blob %s: %w", b.digest, failed)
	default:
		// The client finds fewer bytes than were announced.
		b.store.options.Log.WarnContext(ctx, "pull breaks off", "repository", b.repository, "digest", b.digest, "cause", failed)
	}
	out.flush()
	return nil
}

// content is what http.ServeContent reads.
type content interface {
	io.ReadSeekCloser
	failure() error // that ended it
}

// requested is the content that req asks for, and req for http.ServeContent, which knows
// one line of each condition, and one well-formed range: it takes malformed ones for
// unsatisfiable, and would read each of several ranges by a request of its own, to the
// blob's end.
func (b *Blob) requested(ctx context.Context, out *deferredHeaderWriter, req *http.Request) (*http.Request, content) {
	h := out.Header()
	whole := b.open(ctx)
	for _, name := range []string{"If-Match", "If-None-Match"} {
		if lines := req.Header.Values(name); len(lines) > 1 { // which are one list
			req = req.Clone(ctx)
			req.Header.Set(name, strings.Join(lines, ", "))
		}
	}
	if req.Header.Get("Range") == "" {
		return req, whole
	}
	ranges, err := requestedRanges(req, h.Get("ETag"), b.object.Size)
	req = req.Clone(ctx)
	req.Header.Del("Range")
	req.Header.Del("If-Range")
	switch {
	case err != nil:
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", b.object.Size))
	case len(ranges) == 1:
		r := ranges[0]
		whole.end = r.Off + r.Len
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", r.Off, whole.end-1))
	case len(ranges) > 1:
		m := b.multirange(ctx, ranges, h.Get("Content-Type"))
		h.Set("Content-Type", m.contentType())
		out.partial = true
		return req, m
	}
	return req, whole
}

// Redirect is the Redirector of the Store's own policy. A blob whose URL can't be
// signed is answered here.
func (s *Store) Redirect(ctx context.Context, req *http.Request, b *Blob) (string, error) {
	reason := s.decide(req, b)
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

func (s *Store) decide(req *http.Request, b *Blob) redirect.Reason {
	reason := s.options.Redirect.Decide(req, b.repository, b.object.Size)
	switch {
	case reason != redirect.Signed:
	case s.urls == nil:
		reason = redirect.Unsigned
	case b.object.ContentEncoding != "":
		reason = redirect.Encoded
	}
	return reason
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
