package registry

import (
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/distribution/distribution/v3/manifest/manifestlist"
	"github.com/distribution/distribution/v3/manifest/schema2"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// readsManifest reports whether the request is a GET or HEAD of a manifest.
func (e *exchange) readsManifest() bool {
	return e.kind == manifestEndpoint && (e.r.Method == http.MethodGet || e.r.Method == http.MethodHead)
}

// acceptAny names the types that distribution looks for where any type will do.
func acceptAny(e *exchange) func(*reply) {
	if !e.readsManifest() {
		return nil
	}
	accept := e.r.Header.Values("Accept")
	for spec := range strings.SplitSeq(strings.Join(accept, ","), ",") {
		switch mediaType, _, err := mime.ParseMediaType(spec); {
		case len(accept) == 0, err == nil && (mediaType == "*/*" || mediaType == "application/*"):
			e.header().Set("Accept", strings.Join([]string{
				v1.MediaTypeImageManifest, v1.MediaTypeImageIndex, schema2.MediaTypeManifest, manifestlist.MediaTypeManifestList,
			}, ","))
			return nil
		}
	}
	return nil
}

// compareManifest compares If-None-Match as RFC 9110, section 13.1.2, has it. One ETag is
// left to distribution, which then reads no manifest.
func compareManifest(e *exchange) func(*reply) {
	const name = "If-None-Match"
	given := e.r.Header.Values(name)
	if !e.readsManifest() || len(given) == 0 {
		return nil
	}
	var tags []string
	for tag := range strings.SplitSeq(strings.Join(given, ","), ",") {
		tag = strings.TrimPrefix(strings.TrimSpace(tag), "W/")
		if tag = strings.Trim(tag, `"`); tag != "" {
			tags = append(tags, tag)
		}
	}
	if len(tags) == 1 && tags[0] != "*" {
		e.header().Set(name, `"`+tags[0]+`"`)
		return func(r *reply) {
			if r.status == http.StatusNotModified {
				r.header.Set("ETag", `"`+tags[0]+`"`)
				r.header.Set("Docker-Content-Digest", tags[0])
			}
		}
	}
	e.header().Del(name)
	return func(r *reply) {
		current := strings.Trim(r.header.Get("ETag"), `"`)
		for _, tag := range tags {
			if r.status == http.StatusOK && (tag == current || tag == "*") {
				r.status, r.empty = http.StatusNotModified, true
			}
		}
	}
}

// maxManifest is the largest manifest in bytes that distribution takes.
const maxManifest = 4 << 20

func manifestTooLarge(e *exchange) func(*reply) {
	if e.kind != manifestEndpoint || e.r.Method != http.MethodPut {
		return nil
	}
	body := &countingBody{ReadCloser: e.r.Body}
	e.r.Body = body
	return func(r *reply) {
		if r.status == http.StatusBadRequest && body.read > maxManifest {
			r.status = http.StatusRequestEntityTooLarge
		}
	}
}

// countingBody is a body, and how much of it was read.
type countingBody struct {
	io.ReadCloser
	read int64
}

func (b *countingBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.read += int64(n)
	return n, err
}
