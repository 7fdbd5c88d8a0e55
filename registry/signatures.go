package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/distribution/distribution/v3"
	"github.com/distribution/distribution/v3/registry/api/errcode"
	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/manifests"
	"github.com/blobdock/blobdock/signatures"
)

// Distribution has no route for the extension for signatures. Handler sends a GET to the list of
// the repository's tags, and a PUT to the beginning of an upload, which need the same permissions,
// and where distribution then asks for tags, or for an upload, signatures are read or written.

// parseSignatures reads a path of the extension below the configured prefix.
func parseSignatures(prefix, path string) (t target, ok bool) {
	path, ok = strings.CutPrefix(path, strings.TrimRight(prefix, "/")+"/extensions/v2/")
	i := strings.LastIndex(path, signaturesRoute)
	if !ok || i < 0 || strings.Contains(path[i+len(signaturesRoute):], "/") {
		return target{}, false
	}
	return target{kind: signaturesEndpoint, name: path[:i], ref: path[i+len(signaturesRoute):]}, true
}

const signaturesRoute = "/signatures/"

// signaturesCall is a GET or PUT of /extensions/v2/<name>/signatures/<digest>.
type signaturesCall struct {
	manifest digest.Digest
	body     io.Reader
	found    []signatures.Signature
	done     bool
}

func signaturesOf(ctx context.Context) *signaturesCall {
	if a, ok := ctx.Value(answerKey{}).(*answer); ok {
		return a.signatures
	}
	return nil
}

// answerSignatures makes a request for signatures ready for distribution, and tells clients that
// the registry has them.
func (e *exchange) answerSignatures() {
	a, ok := e.r.Context().Value(answerKey{}).(*answer)
	if ok && e.r.URL.Path == strings.TrimRight(e.config.HTTP.Prefix, "/")+"/v2/" {
		e.answers = append(e.answers, func(r *reply) { r.header.Set("X-Registry-Supports-Signatures", "1") })
	}
	if !ok || e.kind != signaturesEndpoint {
		return
	}
	d, err := digest.Parse(e.ref)
	if err != nil {
		e.refuse(errcode.ErrorCodeDigestInvalid.WithDetail(err.Error()))
		return
	}
	s := &signaturesCall{manifest: d, body: e.r.Body}
	a.signatures = s
	base := strings.TrimRight(e.config.HTTP.Prefix, "/") + "/v2/" + e.name
	method := e.r.Method
	e.r = e.r.Clone(e.r.Context())
	e.cloned = true
	switch method {
	case http.MethodGet, http.MethodHead:
		e.r.Method, e.r.URL = http.MethodGet, &url.URL{Path: base + "/tags/list"}
		e.answers = append(e.answers, s.answerGet)
	case http.MethodPut:
		e.r.Method, e.r.URL = http.MethodPost, &url.URL{Path: base + "/blobs/uploads/"}
		e.r.Header.Set("Content-Type", "application/octet-stream") // of a form's the body would be read
		e.answers = append(e.answers, s.answerPut)
	default:
		e.refuse(errcode.ErrorCodeUnsupported.WithDetail("want GET or PUT"))
	}
}

// get reads the signatures. io.EOF is the end of a list of tags.
func (s *signaturesCall) get(ctx context.Context, r *manifests.Repository) (err error) {
	if s.found, err = signatures.NewExtension(r).Get(ctx, s.manifest); err != nil {
		return recordError(ctx, err)
	}
	s.done = true
	return io.EOF
}

// put writes the signature in the request's body. Success is distribution's error for what it
// answers 201 without an upload.
func (s *signaturesCall) put(ctx context.Context, name reference.Named, r *manifests.Repository) error {
	p, err := io.ReadAll(io.LimitReader(s.body, signatures.MaxExtensionSize+1))
	if err != nil {
		return recordError(ctx, fmt.Errorf("signature: %w", err))
	}
	blob, err := signatures.NewExtension(r).Put(ctx, s.manifest, p)
	if err != nil {
		return recordError(ctx, err)
	}
	from, err := reference.WithDigest(name, blob.Digest)
	if err != nil {
		return err
	}
	s.done = true
	return distribution.ErrBlobMounted{From: from, Descriptor: blob}
}

// answerGet puts the signatures in the place of the tags.
func (s *signaturesCall) answerGet(r *reply) {
	if !s.done || r.status != http.StatusOK {
		return
	}
	body, err := json.Marshal(map[string]any{"signatures": append([]signatures.Signature{}, s.found...)})
	if err != nil { // there is nothing in it that can't be written
		r.status, r.err = http.StatusInternalServerError, errcode.ErrorCodeUnknown
		return
	}
	r.body = body
	r.header.Set("Content-Type", "application/json")
	r.header.Del("Link")
}

// answerPut leaves out what an upload's answer has.
func (s *signaturesCall) answerPut(r *reply) {
	if !s.done || r.status != http.StatusCreated {
		return
	}
	r.empty = true
	for _, name := range []string{"Location", "Docker-Content-Digest"} {
		r.header.Del(name)
	}
}

// The answers to signatures that can't be taken.
var (
	errorCodeSignatureInvalid = errcode.Register(Name, errcode.ErrorDescriptor{
		Value:          "SIGNATURE_INVALID",
		Message:        "invalid signature",
		Description:    "The signature is malformed, or is not of the manifest that the request names.",
		HTTPStatusCode: http.StatusBadRequest,
	})
	errorCodeSignatureExists = errcode.Register(Name, errcode.ErrorDescriptor{
		Value:          "SIGNATURE_EXISTS",
		Message:        "the manifest has another signature of this name",
		Description:    "Signatures are not replaced.",
		HTTPStatusCode: http.StatusConflict,
	})
)

// classifySignature is classify for what only signatures have.
func classifySignature(err error) (code errcode.Error, ok bool) {
	switch {
	case errors.Is(err, signatures.ErrInvalid):
		return errorCodeSignatureInvalid.WithDetail(err.Error()), true
	case errors.Is(err, signatures.ErrExists):
		return errorCodeSignatureExists.WithDetail(nil), true
	case errors.As(err, new(distribution.ErrManifestUnknownRevision)):
		return errcode.ErrorCodeManifestUnknown.WithDetail(nil), true
	}
	return errcode.Error{}, false
}
