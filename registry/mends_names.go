package registry

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/distribution/distribution/v3/registry/api/errcode"
	"github.com/distribution/reference"

	"github.com/blobdock/blobdock/manifests"
)

func refuseName(e *exchange) func(*reply) {
	if e.kind > catalogEndpoint && !validName(e.name) {
		e.refuse(errcode.ErrorCodeNameInvalid.WithDetail(fmt.Sprintf("want lowercase letters, digits and separators, at most %d characters", reference.RepositoryNameTotalLengthMax)))
	}
	return nil
}

func refuseTag(e *exchange) func(*reply) {
	if e.kind == manifestEndpoint && !strings.Contains(e.ref, ":") && !manifests.IsTag(e.ref) {
		e.refuse(errcode.ErrorCodeTagInvalid.WithDetail("want letters, digits, '_', '.' and '-', at most 128 characters"))
	}
	return nil
}

// errorsInJSON answers what distribution's router has no handler for. An unknown endpoint
// stays 404, from which clients learn that there is none.
func errorsInJSON(e *exchange) func(*reply) {
	return func(r *reply) {
		if !strings.HasPrefix(r.header.Get("Content-Type"), "text/plain") {
			return
		}
		switch {
		case r.status == http.StatusMethodNotAllowed:
			r.err = errcode.ErrorCodeUnsupported.WithDetail(nil)
		case r.status != http.StatusNotFound:
		case e.kind == manifestEndpoint, e.kind == blobEndpoint:
			r.status, r.err = http.StatusBadRequest, errcode.ErrorCodeDigestInvalid.WithDetail(nil)
		case e.kind == uploadEndpoint:
			r.err = errcode.ErrorCodeBlobUploadUnknown.WithDetail(nil)
		default:
			r.err = errcode.ErrorCodeUnsupported.WithDetail(nil)
		}
	}
}
