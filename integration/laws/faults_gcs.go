package laws

import "net/http"

// faultGCS lets requests fail by an error document.
func faultGCS(status int, reason, message string) func(rule) enforcement {
	return failing(func(r rule, w http.ResponseWriter, c call) { r.refuseGCS(w, c, status, reason, message) })
}

// resetGCS lets requests fail without an answer.
func resetGCS() func(rule) enforcement {
	return failing(func(r rule, w http.ResponseWriter, c call) {
		r.record(c, 0, "connection reset")
		hangUp(w)
	})
}

// failing lets the requests fail that Options.Faults selects.
func failing(fail func(r rule, w http.ResponseWriter, c call)) func(rule) enforcement {
	return func(r rule) enforcement {
		return func(w http.ResponseWriter, c call, next handler) {
			if !r.strikes(c) {
				next(w, c)
				return
			}
			if r.options.Faults[r.law].After {
				ask(c, next)
			}
			fail(r, w, c)
		}
	}
}
