package laws

import "net/http"

// keyRateS3 refuses writes that follow too closely on another to the same key.
func keyRateS3(r rule) enforcement {
	limiter := newKeyLimiter(r.options.S3.KeyRate)
	return func(w http.ResponseWriter, c call, next handler) {
		var keys []string
		switch {
		case writesS3(c) && c.op != "DeleteObject":
			keys = []string{c.object()}
		case r.options.S3.DeletesFree:
		default:
			removed, ok := r.removals(w, c)
			if !ok {
				return
			}
			for _, o := range removed {
				keys = append(keys, c.bucket+"/"+o.Key)
			}
		}
		for _, key := range keys {
			if !limiter.allow(key) {
				r.refuseS3(w, c, http.StatusTooManyRequests, "ServiceUnavailable", "Reduce your concurrent request rate for the same object.")
				return
			}
		}
		next(w, c)
	}
}
