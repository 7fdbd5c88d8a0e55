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

// resetS3 resets connections in place of an answer.
func resetS3(r rule) enforcement {
	return r.failInstead(func(w http.ResponseWriter, c call) {
		r.record(c, 0, "reset")
		hangUp(w)
	})
}

// failInstead lets fail answer the requests that the law strikes, before or after the
// store has executed them.
func (e rule) failInstead(fail handler) enforcement {
	return func(w http.ResponseWriter, c call, next handler) {
		if !e.strikes(c) {
			next(w, c)
			return
		}
		if e.options.Faults[e.law].After {
			ask(c, next)
		}
		fail(w, c)
	}
}
