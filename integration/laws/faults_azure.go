package laws

import "net/http"

// failsAzure lets requests fail with an error of the service's.
func failsAzure(status int, code, message string) func(rule) enforcement {
	return func(r rule) enforcement {
		return r.onStrike(func(w http.ResponseWriter, c call) { r.refuseAzure(w, c, status, code, message) })
	}
}

// resetAzure resets connections in place of answers.
func resetAzure(r rule) enforcement {
	return r.onStrike(func(w http.ResponseWriter, c call) {
		r.record(c, 0, "connection reset")
		hangUp(w)
	})
}

// onStrike has fail answer the requests that the law lets fail.
func (e rule) onStrike(fail func(w http.ResponseWriter, c call)) enforcement {
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
