package registry

import (
	"context"
	"fmt"
	"mime"
	"net/http"
	"slices"

	"github.com/distribution/distribution/v3/registry/api/errcode"
	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/manifests"
)

// Distribution's handler takes manifests of four types, by sha256 alone. Of others Handler
// changes the Content-Type to one of our own, under which distribution hands the bytes along
// as they are: it still decides who may push, and answers.

// manifestPush is what a PUT of a manifest says beside the manifest, and what to answer.
type manifestPush struct {
	mediaType string   // the Content-Type, of a rawManifest
	tags      []string // ?tag=

	subject digest.Digest // the manifest's
}

func manifestPushOf(ctx context.Context) *manifestPush {
	if a, ok := ctx.Value(answerKey{}).(*answer); ok && a.push != nil {
		return a.push
	}
	return new(manifestPush)
}

// maxTags is how many tags a push by digest may name; registries should take ten.
// https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pushing-manifests
const maxTags = 100

// errorCodeTags is the answer to more.
var errorCodeTags = errcode.Register(Name, errcode.ErrorDescriptor{
	Value:          "TOO_MANY_TAGS",
	Message:        "the request names too many tags",
	Description:    "The tag parameter of a manifest's push stands in the request too often.",
	HTTPStatusCode: http.StatusRequestURITooLong,
})

// answerManifestPush makes a push of a manifest ready for distribution.
func (e *exchange) answerManifestPush() {
	a, ok := e.r.Context().Value(answerKey{}).(*answer)
	if !ok || e.kind != manifestEndpoint || e.r.Method != http.MethodPut {
		return
	}
	p := new(manifestPush)
	a.push = p
	algorithm := digest.Canonical
	if d, err := digest.Parse(e.ref); err == nil {
		algorithm = d.Algorithm()
		p.tags = e.r.URL.Query()["tag"]
	}
	slices.Sort(p.tags)
	p.tags = slices.Compact(p.tags)
	if n := len(p.tags); n > maxTags {
		e.refuse(errorCodeTags.WithDetail(fmt.Sprintf("%d, want at most %d", n, maxTags)))
		return
	}
	e.answers = append(e.answers, func(r *reply) {
		if r.status == http.StatusCreated {
			p.header(r.header)
		}
	})
	contentType := e.r.Header.Get("Content-Type")
	mediaType, _, err := mime.ParseMediaType(contentType)
	if manifests.IsKnown(mediaType) && algorithm == digest.Canonical {
		return
	}
	if algorithm != digest.SHA256 && algorithm != digest.SHA512 || err != nil && contentType != "" ||
		len(e.config.Policy.Repository.Classes) > 0 { // classes are of types that distribution reads
		return
	}
	p.mediaType = contentType
	e.header().Set("Content-Type", rawType(algorithm))
}

// header tells what the specification has a registry tell that knows subjects and tags.
// https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pushing-manifests-with-subject
func (p *manifestPush) header(h http.Header) {
	if p.subject != "" {
		h.Set("OCI-Subject", p.subject.String())
	}
	for _, tag := range p.tags {
		h.Add("OCI-Tag", tag)
	}
}
