package registry

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/distribution/distribution/v3/registry/api/errcode"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/blobdock/blobdock/manifests"
)

// Distribution has no route for referrers. Handler sends such a request to the list of the
// repository's tags, which needs the same permission, and where distribution then asks for
// tags the referrers are looked up. What distribution answers is replaced where it is 200.

// referrersQuery is a GET of /v2/<name>/referrers/<digest>.
type referrersQuery struct {
	subject      digest.Digest
	artifactType string
	last         digest.Digest // where the page before ended
	path         string        // of the request
	found        []v1.Descriptor
	next         digest.Digest
	done         bool
}

func referrersOf(ctx context.Context) *referrersQuery {
	if a, ok := ctx.Value(answerKey{}).(*answer); ok {
		return a.referrers
	}
	return nil
}

// answerReferrers makes a request for referrers ready for distribution.
func (e *exchange) answerReferrers() {
	a, ok := e.r.Context().Value(answerKey{}).(*answer)
	if !ok || e.kind != referrersEndpoint || e.r.Method != http.MethodGet && e.r.Method != http.MethodHead {
		return
	}
	d, err := digest.Parse(e.ref)
	if err != nil {
		e.refuse(errcode.ErrorCodeDigestInvalid.WithDetail(err.Error()))
		return
	}
	query := e.r.URL.Query()
	q := &referrersQuery{subject: d, artifactType: query.Get("artifactType"), last: digest.Digest(query.Get("last")), path: e.r.URL.Path}
	a.referrers = q
	path := strings.TrimSuffix(q.path, "/referrers/"+e.ref) + "/tags/list"
	e.r = e.r.Clone(e.r.Context())
	e.r.Method, e.r.URL = http.MethodGet, &url.URL{Path: path}
	e.answers = append(e.answers, q.answer)
}

// find looks the referrers up. io.EOF is the end of a list of tags.
func (q *referrersQuery) find(ctx context.Context, r *manifests.Repository) (err error) {
	q.found, q.next, err = r.Referrers(ctx, q.subject, q.artifactType, q.last)
	if err != nil {
		return recordError(ctx, err)
	}
	q.done = true
	return io.EOF
}

// answer puts an index of what was found in the place of the tags.
func (q *referrersQuery) answer(r *reply) {
	if !q.done || r.status != http.StatusOK {
		return
	}
	index, err := json.Marshal(v1.Index{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: v1.MediaTypeImageIndex,
		Manifests: append([]v1.Descriptor{}, q.found...),
	})
	if err != nil { // there is nothing in it that can't be written
		r.status, r.err = http.StatusInternalServerError, errcode.ErrorCodeUnknown
		return
	}
	r.body = index
	r.header.Set("Content-Type", v1.MediaTypeImageIndex)
	r.header.Del("Link")
	query := url.Values{}
	if q.artifactType != "" {
		query.Set("artifactType", q.artifactType)
		r.header.Set("OCI-Filters-Applied", "artifactType")
	}
	if q.next != "" {
		query.Set("last", q.next.String())
		r.header.Set("Link", "<"+(&url.URL{Path: q.path, RawQuery: query.Encode()}).String()+`>; rel="next"`)
	}
}
