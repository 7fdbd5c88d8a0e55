package laws

import "net/http"

// fullObjectSum lets an upload whose checksum is announced as one of the full object be
// completed as S3 does: MinIO wants the sum of each part in the list, and so refuses parts
// that are copied. It compares the sums of single parts without the announcement, too.
func fullObjectSum(rule) enforcement {
	return func(w http.ResponseWriter, c call, next handler) {
		algorithm := c.Header.Get("X-Amz-Checksum-Algorithm")
		if c.op != "CreateMultipartUpload" || c.Header.Get("X-Amz-Checksum-Type") != "FULL_OBJECT" {
			next(w, c)
			return
		}
		c.Header.Del("X-Amz-Checksum-Algorithm")
		c.Header.Del("X-Amz-Checksum-Type")
		next(&headerEditor{ResponseWriter: w, edit: func(status int, h http.Header) {
			if status == http.StatusOK {
				h.Set("X-Amz-Checksum-Algorithm", algorithm)
				h.Set("X-Amz-Checksum-Type", "FULL_OBJECT")
			}
		}}, c)
	}
}
