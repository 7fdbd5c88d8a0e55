package laws

import (
	"net"
	"net/http"
	"strings"
)

// virtualHost refuses requests with the bucket in their path, and takes those that have
// it in the host's name.
func virtualHost(r rule) enforcement {
	return func(w http.ResponseWriter, c call, next handler) {
		host := c.Host
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
		}
		bucket, ok := strings.CutSuffix(host, ".localhost")
		switch {
		case ok:
			path := c.Clone(c.Context())
			path.URL.Path = "/" + bucket + c.URL.Path
			if c.URL.RawPath != "" {
				path.URL.RawPath = "/" + bucket + c.URL.RawPath
			}
			next(w, describeS3(path))
		case c.bucket != "" && !r.options.S3.PathStyle:
			r.refuseS3(w, c, http.StatusForbidden, "SecondLevelDomainForbidden",
				"The bucket you are attempting to access must be addressed using OSS third level domain.")
		default:
			next(w, c)
		}
	}
}
