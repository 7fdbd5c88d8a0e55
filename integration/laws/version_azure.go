package laws

import (
	"net/http"
	"net/url"
)

// apiVersion refuses versions of the protocol that are newer than the service: those of
// requests, and those of shared access signatures. Versions are dates.
func apiVersion(r rule) enforcement {
	newest := r.options.Azure.APIVersion
	signed := r.onSAS(func(q url.Values) string {
		if q.Get("sv") > newest {
			return "sv " + q.Get("sv") + " is not a known version"
		}
		return ""
	})
	return func(w http.ResponseWriter, c call, next handler) {
		v := c.Header.Get("X-Ms-Version")
		switch {
		case newest == "":
			next(w, c)
		case v > newest:
			r.refuseAzure(w, c, http.StatusBadRequest, "InvalidHeaderValue", "x-ms-version "+v+" is not a known version")
		default:
			signed(w, c, next)
		}
	}
}
