package registry

import (
	"net/http"
	"strconv"
	"strings"
)

// preflight answers what browsers ask before a request from another origin. The headers
// that allow it are the configured ones.
// https://fetch.spec.whatwg.org/#cors-preflight-fetch
func preflight(e *exchange) func(*reply) {
	if e.r.Method == http.MethodOptions && e.r.Header.Get("Access-Control-Request-Method") != "" {
		e.instead = func(w http.ResponseWriter) { w.WriteHeader(http.StatusNoContent) }
	}
	return nil
}

// firstProto keeps the protocol that the client spoke to the first proxy, as distribution
// does with X-Forwarded-Host.
func firstProto(e *exchange) func(*reply) {
	const name = "X-Forwarded-Proto"
	if first, _, several := strings.Cut(e.r.Header.Get(name), ","); several {
		e.header().Set(name, strings.TrimSpace(first))
	}
	return nil
}

// clampCatalog asks for no more entries than there may be. The Link to the next page
// follows from that.
func clampCatalog(e *exchange) func(*reply) {
	largest := e.config.Catalog.MaxEntries
	if e.kind != catalogEndpoint || largest <= 0 {
		return nil
	}
	q := e.r.URL.Query()
	n, err := strconv.ParseUint(q.Get("n"), 10, 64)
	if isOverflow(err) || err == nil && n > uint64(largest) {
		q.Set("n", strconv.Itoa(largest))
		u := *e.r.URL
		u.RawQuery = q.Encode()
		e.r.URL = &u
	}
	return nil
}

// prefixLocation puts the configured prefix before a Location that lacks it.
func prefixLocation(e *exchange) func(*reply) {
	prefix := strings.TrimRight(e.config.HTTP.Prefix, "/")
	if prefix == "" || !e.config.HTTP.RelativeURLs {
		return nil
	}
	return func(r *reply) {
		if at := r.header.Get("Location"); strings.HasPrefix(at, "/v2/") {
			r.header.Set("Location", prefix+at)
		}
	}
}
