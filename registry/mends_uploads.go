package registry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"

	"github.com/distribution/distribution/v3/registry/api/errcode"
)

// bringsBlob reports whether the request brings bytes of an upload.
func (e *exchange) bringsBlob() bool {
	return e.kind == uploadEndpoint && (e.r.Method == http.MethodPatch || e.r.Method == http.MethodPut)
}

// anyContentType takes any Content-Type for that of bytes. Distribution reads the body of a
// form for its parameters.
func anyContentType(e *exchange) func(*reply) {
	if e.bringsBlob() && e.r.Header.Get("Content-Type") != "" {
		e.header().Set("Content-Type", "application/octet-stream")
	}
	return nil
}

// contentRange takes "0-9" as the OCI specification has it, and "bytes 0-9/20" as RFC 9110,
// section 14.4, does.
func contentRange(e *exchange) func(*reply) {
	given := e.r.Header.Get("Content-Range")
	if !e.bringsBlob() || given == "" {
		return nil
	}
	first, last, ok := parseContentRange(given)
	if !ok {
		e.refuse(errcode.ErrorCodeRangeInvalid.WithDetail("want Content-Range: first-last"))
		return nil
	}
	e.header().Set("Content-Range", fmt.Sprintf("%d-%d", first, last))
	return nil
}

// parseContentRange reads a Content-Range.
func parseContentRange(s string) (first, last int64, ok bool) {
	if unit, rest, ok := strings.Cut(s, " "); ok && strings.EqualFold(unit, "bytes") {
		s, _, _ = strings.Cut(rest, "/")
	}
	from, to, _ := strings.Cut(s, "-")
	a, aerr := strconv.ParseUint(from, 10, 63)
	b, berr := strconv.ParseUint(to, 10, 63)
	return int64(a), int64(b), aerr == nil && berr == nil && a <= b
}

// lengthOfRange declares the length of a chunked body that its Content-Range tells:
// distribution then compares where the range begins, and blobstore how long the body is.
func lengthOfRange(e *exchange) func(*reply) {
	first, last, ok := parseContentRange(e.r.Header.Get("Content-Range"))
	if ok && e.bringsBlob() && e.r.ContentLength < 0 {
		e.r.ContentLength = last - first + 1
		e.header().Set("Content-Length", strconv.FormatInt(e.r.ContentLength, 10))
	}
	return nil
}

// tellOffset adds to a 416 what the upload's status has: Location, and the Range of the
// bytes that are there.
func tellOffset(e *exchange) func(*reply) {
	if !e.bringsBlob() {
		return nil
	}
	return func(r *reply) {
		if r.status != http.StatusRequestedRangeNotSatisfiable {
			return
		}
		status := e.r.WithContext(context.WithValue(e.r.Context(), answerKey{}, &answer{secret: e.config.HTTP.Secret}))
		status.Method, status.Body, status.ContentLength, status.TransferEncoding = http.MethodGet, http.NoBody, 0, nil
		status.Header = e.r.Header.Clone()
		for _, name := range []string{"Content-Range", "Content-Length", "Content-Type"} {
			status.Header.Del(name)
		}
		w := headerWriter{}
		e.handler.ServeHTTP(w, status)
		for _, name := range []string{"Location", "Range", uploadHeader} {
			if v := http.Header(w).Get(name); v != "" {
				r.header.Set(name, v)
			}
		}
	}
}

// headerWriter keeps an answer's headers, and nothing else of it.
type headerWriter http.Header

func (w headerWriter) Header() http.Header         { return http.Header(w) }
func (w headerWriter) Write(p []byte) (int, error) { return len(p), nil }
func (w headerWriter) WriteHeader(int)             {}

// nameUpload makes the upload that an answer names the one that its Location leads to.
func nameUpload(e *exchange) func(*reply) {
	if e.kind != uploadEndpoint {
		return nil
	}
	return func(r *reply) {
		if r.header.Get(uploadHeader) == "" {
			return
		}
		if at, err := url.Parse(r.header.Get("Location")); err == nil && path.Base(path.Dir(at.Path)) == "uploads" {
			r.header.Set(uploadHeader, path.Base(at.Path))
		}
	}
}

// uploadHeader is distribution's own name for an upload, beside the Location.
const uploadHeader = "Docker-Upload-UUID"

// isOverflow reports whether a number was too large to be read.
func isOverflow(err error) bool { return errors.Is(err, strconv.ErrRange) }
