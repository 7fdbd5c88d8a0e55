package registry

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strconv"

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

// prepareReferrers makes a request ready for distribution that asks for referrers. The error
// is the answer to a malformed one.
func prepareReferrers(a *answer, r *http.Request) (*http.Request, error) {
	name, ref, ok := lastPart(r.URL.Path, "/referrers/")
	if !ok || r.Method != http.MethodGet && r.Method != http.MethodHead {
		return r, nil
	}
	d, err := digest.Parse(ref)
	if err != nil {
		return r, errcode.ErrorCodeDigestInvalid.WithDetail(err.Error())
	}
	query := r.URL.Query()
	a.referrers = &referrersQuery{subject: d, artifactType: query.Get("artifactType"), last: digest.Digest(query.Get("last")), path: r.URL.Path}
	r = r.Clone(r.Context())
	r.Method = http.MethodGet
	r.URL = &url.URL{Path: name + "/tags/list"}
	return r, nil
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

// write answers with an index of what was found.
func (q *referrersQuery) write(w http.ResponseWriter) {
	index := v1.Index{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: v1.MediaTypeImageIndex,
		Manifests: append([]v1.Descriptor{}, q.found...),
	}
	body, err := json.Marshal(index)
	if err != nil { // there is nothing in it that can't be written
		http.Error(w, "", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", v1.MediaTypeImageIndex)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	query := url.Values{}
	if q.artifactType != "" {
		query.Set("artifactType", q.artifactType)
		h.Set("OCI-Filters-Applied", "artifactType")
	}
	if q.next != "" {
		query.Set("last", q.next.String())
		h.Set("Link", "<"+(&url.URL{Path: q.path, RawQuery: query.Encode()}).String()+`>; rel="next"`)
	}
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(body)
}
