package blobstore

import (
	"context"
	"fmt"
	"net/http"

	"github.com/distribution/distribution/v3"
	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/blobstore/internal/memory"
	"github.com/blobdock/blobdock/blobstore/internal/upload"
	"github.com/blobdock/blobdock/redirect"
)

// requestInfo is what the HTTP request that a call serves tells beforehand. All of it is
// optional: distribution hands the request along in the context, other callers may do so
// by [WithRequest].
type requestInfo struct {
	digest digest.Digest    // ?digest=, what the content is said to be
	alg    digest.Algorithm // ?digest-algorithm=, at the beginning of an upload
	length int64            // Content-Length, -1 when unknown
	final  bool             // the bytes of this request are the last: Commit follows
	head   bool             // a HEAD: the client wants to know whether it must push
	reads  bool             // a GET or HEAD
	http   bool             // there is a request: its client may be gone when ctx ends
	client memory.Client
}

type requestKey struct{}

// WithRequest tells the calls that get the context which request they serve. Uploads then
// know the digest and the length beforehand, and memory is shared between clients.
func WithRequest(ctx context.Context, r *http.Request) context.Context {
	return context.WithValue(ctx, requestKey{}, r)
}

// distributionKey is where distribution keeps the request in a context.
const distributionKey = "http.request"

// requestIn is the request that a call serves, or nil.
func requestIn(ctx context.Context) *http.Request {
	r, ok := ctx.Value(requestKey{}).(*http.Request)
	if !ok {
		r, ok = ctx.Value(distributionKey).(*http.Request)
	}
	if !ok || r == nil || r.URL == nil {
		return nil
	}
	return r
}

func requestOf(ctx context.Context) requestInfo {
	i := requestInfo{length: -1}
	r := requestIn(ctx)
	if r == nil {
		return i
	}
	i.http, i.head, i.client = true, r.Method == http.MethodHead, clientOf(r)
	switch r.Method {
	case http.MethodPost, http.MethodPut, http.MethodPatch:
		i.length = r.ContentLength
	case http.MethodGet, http.MethodHead:
		i.reads = true
	}
	q := r.URL.Query()
	if d := digest.Digest(q.Get("digest")); d.Validate() == nil && upload.Supported(d.Algorithm()) {
		i.digest = d
		i.final = r.Method == http.MethodPut
	}
	if a := digest.Algorithm(q.Get("digest-algorithm")); upload.Supported(a) {
		i.alg = a
	}
	return i
}

// upload is the information as the upload engine takes it.
func (i requestInfo) upload() upload.Request {
	return upload.Request{Digest: i.digest, Algorithm: i.alg, Length: i.length, Final: i.final, Client: i.client, HTTP: i.http}
}

// clientOf is the client's address, or the network that one machine has in IPv6.
func clientOf(r *http.Request) memory.Client {
	a := redirect.Client(r)
	bits := a.BitLen()
	if a.Is6() {
		bits = 64
	}
	network, _ := a.Prefix(bits) // fails for no address, whose network is none
	return network
}

// digestOption is what WithDigest makes.
type digestOption digest.Digest

// WithDigest tells Create what the content's digest will be. Commit still compares the
// digest, and refuses any other.
func WithDigest(d digest.Digest) distribution.BlobCreateOption { return digestOption(d) }

// Apply accepts distribution's options and changes nothing in them: other stores may
// ignore the hint.
func (o digestOption) Apply(v any) error {
	if _, ok := v.(*distribution.CreateOptions); !ok {
		return fmt.Errorf("blobstore.WithDigest applied to %T, want *distribution.CreateOptions", v)
	}
	return nil
}
