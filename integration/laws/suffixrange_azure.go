package laws

import (
	"cmp"
	"net/http"
	"strings"
)

// suffixRange refuses reads of a blob's last n bytes: the service knows "bytes=first-" and
// "bytes=first-last" only. x-ms-range stands before Range.
func suffixRange(r rule) enforcement {
	return func(w http.ResponseWriter, c call, next handler) {
		s := cmp.Or(c.Header.Get("X-Ms-Range"), c.Header.Get("Range"))
		switch {
		case c.op != "Get Blob" || !strings.HasPrefix(s, "bytes=-"):
			next(w, c)
		case r.options.Azure.SuffixRangeIgnored:
			c.Header.Del("X-Ms-Range")
			c.Header.Del("Range")
			next(w, c)
		default:
			r.refuseAzure(w, c, http.StatusRequestedRangeNotSatisfiable, "InvalidRange", "the range "+s+" has no first byte")
		}
	}
}
