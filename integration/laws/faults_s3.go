package laws

import "net/http"

// internalError lets requests fail by 500.
func internalError(r rule) enforcement {
	return r.failInstead(func(w http.ResponseWriter, c call) {
		r.refuseS3(w, c, http.StatusInternalServerError, "InternalError", "We encountered an internal error. Please try again.")
	})
}

// unavailable lets requests fail by 503.
func unavailable(r rule) enforcement {
	return r.failInstead(func(w http.ResponseWriter, c call) {
		r.refuseS3(w, c, http.StatusServiceUnavailable, "ServiceUnavailable", "Service is unable to handle request.")
	})
}

// slowDown lets requests fail by 503 with the code that asks for fewer.
func slowDown(r rule) enforcement { return r.failInstead(r.slowDown) }
