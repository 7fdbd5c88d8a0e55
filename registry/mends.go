package registry

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/distribution/distribution/v3/registry/api/errcode"
)

// mend is one fault of the HTTP handlers of distribution v3.1.2, and what Handler does
// about it. TestMends has a test for each mend, which fails without it: a mend that
// distribution no longer needs is found there.
type mend struct {
	name string // of its test, too
	// fault is what distribution does.
	fault string
	// upstream is where that was reported, or what asks for another answer.
	upstream string
	// apply may change the request, or set what is to be answered instead of
	// distribution's handler. What it returns may change the answer; nil leaves it. apply
	// is nil where the mend is not part of Handler.
	apply func(*exchange) func(*reply)
}

// mends are applied in this order, to the request and to the answer.
var mends = []mend{
	{"preflight", "OPTIONS, which browsers send without credentials, is refused with 401",
		"https://github.com/distribution/distribution/issues/4458", preflight},
	{"forwarded-proto", "X-Forwarded-Proto with a value for each proxy becomes the scheme of each Location as a whole",
		"https://github.com/distribution/distribution/pull/2737", firstProto},
	{"name-invalid", "a name of more than 255 characters is answered 500, a name with a port or another host is taken, and another malformed name is a 404 in plain text",
		"https://github.com/distribution/distribution/issues/4699", refuseName},
	{"tag-invalid", "a malformed tag, such as one of 129 characters, is answered 404 in plain text",
		"https://github.com/distribution/distribution/issues/2670", refuseTag},
	{"json-errors", "malformed digests, unknown endpoints and methods are answered in plain text",
		"https://github.com/distribution/distribution/issues/2670", errorsInJSON},
	{"catalog-n", "a page of the catalog with more entries than the registry's maximum is refused, where a page of tags is shortened",
		"https://github.com/Joxit/docker-registry-ui/issues/306", clampCatalog},
	{"manifest-accept", "an OCI manifest is 404, and a Docker list another manifest, where Accept is */* or absent",
		"https://github.com/distribution/distribution/issues/4385", acceptAny},
	{"manifest-conditions", "If-None-Match of a manifest knows no list, no W/ and no *, and 304 has no ETag",
		"https://github.com/opencontainers/distribution-spec/issues/250", compareManifest},
	{"manifest-too-large", "a manifest of more than 4 MiB is answered 400",
		"https://github.com/opencontainers/distribution-spec/pull/293", manifestTooLarge},
	{"upload-content-type", "PATCH with another Content-Type than application/octet-stream is answered 500, and the body of an upload with that of a form is lost",
		"https://github.com/opencontainers/distribution-spec/issues/187", anyContentType},
	{"content-range", "a malformed Content-Range is answered 500, and so is the form that RFC 9110 has",
		"https://github.com/distribution/distribution/issues/3496", contentRange},
	{"content-range-chunked", "the Content-Range of a chunked body is ignored, so that bytes are added at the wrong place",
		"https://github.com/opencontainers/distribution-spec/issues/590", lengthOfRange},
	{"range-offset", "416 does not say where the upload goes on",
		"https://github.com/opencontainers/distribution-spec/issues/414", tellOffset},
	{"relative-prefix", "Location lacks http.prefix where http.relativeurls is set", "", prefixLocation},
	{"upload-id", "Docker-Upload-UUID names the upload that the request went to, and the id changes", "", nameUpload},
	{"blob-ranges", "Range of an unknown unit or malformed is answered 416 and bytes=-0 206; blobstore.Blob.Serve reads ranges",
		"https://www.rfc-editor.org/rfc/rfc9110#section-14.2", nil},
	{"unknown-log", "the HEAD before each push of something new, and cosign's GET of a tag for signatures, log an error; quietUnknown lowers it to info",
		"https://github.com/distribution/distribution/issues/2208", nil},
}

// exchange is a request on its way to distribution's handler.
type exchange struct {
	config  *configuration.Configuration
	handler http.Handler // distribution's
	r       *http.Request
	target
	api     bool // the path is one of the API
	cloned  bool
	instead func(http.ResponseWriter) // answers in the handler's place
	answers []func(*reply)
}

// reply is an answer before it is sent.
type reply struct {
	status int
	header http.Header
	err    error  // replaces the body
	body   []byte // replaces the body, too
	empty  bool   // there is no body
}

// newExchange applies mends to r. extended is that the registry has the extension for signatures.
func newExchange(config *configuration.Configuration, handler http.Handler, r *http.Request, mends []mend, extended bool) *exchange {
	e := &exchange{config: config, handler: handler, r: r}
	e.target, e.api = parseTarget(config.HTTP.Prefix, r.URL.Path)
	if !e.api && extended {
		e.target, e.api = parseSignatures(config.HTTP.Prefix, r.URL.Path)
	}
	if !e.api {
		return e
	}
	for _, m := range mends {
		if m.apply == nil {
			continue
		}
		if answer := m.apply(e); answer != nil {
			e.answers = append(e.answers, answer)
		}
	}
	if hasMiddleware(config) {
		e.answerManifestPush()
		e.answerManifestPull()
		e.answerReferrers()
	}
	if extended {
		e.answerSignatures()
	}
	return e
}

// serve answers the request.
func (e *exchange) serve(w http.ResponseWriter) {
	if e.instead == nil {
		e.handler.ServeHTTP(w, e.r)
		return
	}
	// What distribution sets on each of its answers.
	w.Header().Set("Docker-Distribution-API-Version", "registry/2.0")
	for name, values := range e.config.HTTP.Headers {
		w.Header()[http.CanonicalHeaderKey(name)] = slices.Clone(values)
	}
	e.instead(w)
}

// refuse answers err, unless another mend has refused the request before.
func (e *exchange) refuse(err errcode.Error) {
	if e.instead == nil {
		e.instead = func(w http.ResponseWriter) { _ = errcode.ServeJSON(w, err) }
	}
}

// header is the request's, to be changed.
func (e *exchange) header() http.Header {
	if !e.cloned {
		e.r.Header, e.cloned = e.r.Header.Clone(), true
	}
	return e.r.Header
}

// amend lets the mends change r.
func (e *exchange) amend(r *reply) {
	for _, answer := range e.answers {
		answer(r)
	}
}

// send sends the reply to w. It reports whether the handler's body follows.
func (r *reply) send(w http.ResponseWriter) (body bool) {
	switch {
	case r.body != nil:
		r.header.Set("Content-Length", strconv.Itoa(len(r.body)))
		w.WriteHeader(r.status)
		_, _ = w.Write(r.body)
		return false
	case r.err == nil && !r.empty:
		w.WriteHeader(r.status)
		return true
	}
	r.header.Del("Content-Length")
	r.header.Del("Content-Type")
	if r.err == nil {
		w.WriteHeader(r.status)
		return false
	}
	r.header.Set("Content-Type", "application/json")
	w.WriteHeader(r.status)
	_ = json.NewEncoder(w).Encode(errcode.Errors{r.err})
	return false
}
