package laws

import "net/http"

// reset resets connections in place of answers.
func reset(r rule) enforcement {
	return r.failInstead(func(w http.ResponseWriter, c call) {
		r.record(c, 0, "connection reset")
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
