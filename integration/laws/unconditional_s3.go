package laws

import (
	"net/http"
	"regexp"
	"strings"
)

// conditionsRefused refuses conditional writes at all.
func conditionsRefused(r rule) enforcement {
	return func(w http.ResponseWriter, c call, next handler) {
		if conditionalS3(c) {
			r.refuseS3(w, c, http.StatusNotImplemented, "NotImplemented", "A header you provided implies functionality that is not implemented")
			return
		}
		next(w, c)
	}
}

// conditionsIgnored carries conditional writes out without their conditions.
func conditionsIgnored(rule) enforcement {
	return func(w http.ResponseWriter, c call, next handler) {
		if writesS3(c) {
			dropConditions(c)
		}
		next(w, c)
	}
}

// completeUnconditional ignores conditions on completion, or refuses them.
func completeUnconditional(r rule) enforcement {
	return func(w http.ResponseWriter, c call, next handler) {
		if c.op == "CompleteMultipartUpload" && conditionalS3(c) {
			if r.options.S3.RefuseCompleteConditions {
				r.refuseS3(w, c, http.StatusNotImplemented, "NotImplemented", "conditions on completion are not implemented")
				return
			}
			dropConditions(c)
		}
		next(w, c)
	}
}

func dropConditions(c call) {
	c.Header.Del("If-Match")
	c.Header.Del("If-None-Match")
}

// ifMatchQuoted finds that a quoted ETag matches nothing. The store's own are quoted.
func ifMatchQuoted(r rule) enforcement {
	return func(w http.ResponseWriter, c call, next handler) {
		if writesS3(c) && strings.HasPrefix(c.Header.Get("If-Match"), `"`) {
			r.refuseS3(w, c, http.StatusPreconditionFailed, "PreconditionFailed", "the quoted ETag is compared with the one without quotes")
			return
		}
		next(w, c)
	}
}

// copyConditionIgnored copies whatever the source is by then.
func copyConditionIgnored(rule) enforcement {
	return func(w http.ResponseWriter, c call, next handler) {
		c.Header.Del("X-Amz-Copy-Source-If-Match")
		next(w, c)
	}
}

// multipartETag is the form of the ETag of an object that was uploaded in parts.
var multipartETag = regexp.MustCompile(`^"?[^"]+-[0-9]+"?$`)

// copyETagRefused finds that no copy's source has the ETag of an object in parts.
func copyETagRefused(r rule) enforcement {
	return func(w http.ResponseWriter, c call, next handler) {
		if multipartETag.MatchString(c.Header.Get("X-Amz-Copy-Source-If-Match")) {
			r.refuseS3(w, c, http.StatusPreconditionFailed, "PreconditionFailed", "the source's ETag is compared with that of its manifest")
			return
		}
		next(w, c)
	}
}
