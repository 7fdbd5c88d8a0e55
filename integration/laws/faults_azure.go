package laws

import "net/http"

// faultAzure lets requests fail with an error of the service's.
func faultAzure(status int, code, message string) func(rule) enforcement {
	return func(r rule) enforcement {
		return r.failInstead(func(w http.ResponseWriter, c call) { r.refuseAzure(w, c, status, code, message) })
	}
}
