package laws

import (
	"net/http"
	"strings"
)

// headSilent takes MinIO's own headers off, which tell a failed HEAD's code.
func headSilent(rule) enforcement {
	return func(w http.ResponseWriter, c call, next handler) {
		next(&headerEditor{ResponseWriter: w, edit: func(_ int, h http.Header) {
			for name := range h {
				if strings.HasPrefix(name, "X-Minio-") {
					h.Del(name)
				}
			}
		}}, c)
	}
}
