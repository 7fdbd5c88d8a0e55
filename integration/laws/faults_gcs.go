package laws

import "net/http"

// faultGCS lets requests fail by an error document.
func faultGCS(status int, reason, message string) func(rule) enforcement {
	return func(r rule) enforcement {
		return r.failInstead(func(w http.ResponseWriter, c call) { r.refuseGCS(w, c, status, reason, message) })
	}
}
