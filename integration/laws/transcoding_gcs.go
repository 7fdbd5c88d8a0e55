package laws

import (
	"net/http"
	"strings"
)

// transcoding unpacks what is stored with Content-Encoding gzip, for readers that do not
// accept that. The store does so already, but for objects that are not to be transformed
// as well, and tells a length.
func transcoding(r rule) enforcement {
	return func(w http.ResponseWriter, c call, next handler) {
		if !readsContent(c) || strings.Contains(c.Header.Get("Accept-Encoding"), "gzip") {
			next(w, c)
			return
		}
		o := r.stat(c.Context(), c.target(), c.URL.Query().Get("generation"))
		switch {
		case o == nil || o.ContentEncoding != "gzip":
		case strings.Contains(o.CacheControl, "no-transform"):
			c.Header.Set("Accept-Encoding", "gzip")
		default:
			w = &headerEditor{ResponseWriter: w, edit: func(status int, h http.Header) {
				if status == http.StatusOK {
					h.Del("Content-Length")
					h.Del("Accept-Ranges")
					h.Set("Transfer-Encoding", "chunked") // else the server counts what is short
				}
			}}
		}
		next(w, c)
	}
}

// readsContent tells reads of an object's bytes.
func readsContent(c call) bool {
	return c.op == "objects.get" && c.URL.Query().Get("alt") == "media" || c.op == "GET Object" || c.op == "HEAD Object"
}
