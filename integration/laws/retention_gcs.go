package laws

import (
	"fmt"
	"net/http"
	"time"
)

// retention refuses to delete or replace objects that are younger than the bucket's
// retention period. Their metadata may change.
func retention(r rule) enforcement {
	return func(w http.ResponseWriter, c call, next handler) {
		period := r.options.GCS.Retention
		if period == 0 {
			next(w, c)
			return
		}
		for _, v := range r.victims(c) {
			until := v.TimeCreated.Add(period)
			if time.Now().Before(until) {
				r.refuseGCS(w, c, http.StatusForbidden, "retentionPolicyNotMet", fmt.Sprintf(
					"Object '%s' is subject to bucket's retention policy and cannot be deleted, overwritten or archived until %s", v.name, until.Format(time.RFC3339Nano)))
				return
			}
		}
		next(w, c)
	}
}
