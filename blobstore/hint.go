package blobstore

import (
	"context"
	"fmt"
	"net/http"

	"github.com/distribution/distribution/v3"
	"github.com/opencontainers/go-digest"
)

// hint is what the HTTP request that a call serves tells beforehand. All of it
// is optional: distribution hands the request along in the context, other
// callers need not.
type hint struct {
	digest digest.Digest    // ?digest=, what the content is said to be
	alg    digest.Algorithm // ?digest-algorithm=, at the beginning of an upload
	length int64            // Content-Length, -1 when unknown
	final  bool             // the bytes of this request are the last: Commit follows
	head   bool             // a HEAD: the client wants to know whether it must push
	http   bool             // there is a request: its client may be gone when ctx ends
}

// requestKey is where distribution keeps the request in a context.
const requestKey = "http.request"

func hintFrom(ctx context.Context) hint {
	h := hint{length: -1}
	r, ok := ctx.Value(requestKey).(*http.Request)
	if !ok || r == nil || r.URL == nil {
		return h
	}
	h.http, h.head = true, r.Method == http.MethodHead
	switch r.Method {
	case http.MethodPost, http.MethodPut, http.MethodPatch:
		h.length = r.ContentLength
	}
	q := r.URL.Query()
	if d := digest.Digest(q.Get("digest")); d.Validate() == nil && supported(d.Algorithm()) {
		h.digest = d
		h.final = r.Method == http.MethodPut
	}
	if a := digest.Algorithm(q.Get("digest-algorithm")); supported(a) {
		h.alg = a
	}
	return h
}

// digestOption is what WithDigest makes.
type digestOption digest.Digest

// WithDigest tells Create what the content's digest will be. The bytes then go
// to their final place at once and Commit copies nothing. Commit still compares
// the digest, and refuses any other.
func WithDigest(d digest.Digest) distribution.BlobCreateOption { return digestOption(d) }

// Apply accepts distribution's options and changes nothing in them: other stores
// may ignore the hint.
func (o digestOption) Apply(v any) error {
	if _, ok := v.(*distribution.CreateOptions); !ok {
		return fmt.Errorf("blobstore.WithDigest applied to %T, want *distribution.CreateOptions", v)
	}
	return nil
}
