package laws

import (
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// sasStart enforces a SAS expiration policy whose action is Block.
func sasStart(r rule) enforcement {
	longest := r.options.Azure.SASInterval
	return r.onSAS(func(q url.Values) string {
		st, se := q.Get("st"), q.Get("se")
		if st == "" {
			if q.Has("si") {
				return "" // a stored access policy has the start
			}
			return "the signature has no start, which the account's expiration policy requires"
		}
		start, err := sasTime(st)
		if err != nil || longest == 0 || se == "" {
			return "" // the store refuses what it can't read
		}
		end, err := sasTime(se)
		if err == nil && end.Sub(start) > longest {
			return fmt.Sprintf("the signature is valid for %v, the account's expiration policy allows %v", end.Sub(start), longest)
		}
		return ""
	})
}

// onSAS has fault look at the shared access signatures of a call and of its copy source,
// and refuses the call where fault returns a reason.
func (e rule) onSAS(fault func(q url.Values) string) enforcement {
	return func(w http.ResponseWriter, c call, next handler) {
		if q := c.URL.Query(); q.Has("sig") {
			if reason := fault(q); reason != "" {
				e.refuseAzure(w, c, http.StatusForbidden, "AuthenticationFailed", reason)
				return
			}
		}
		if source, err := url.Parse(c.Header.Get("X-Ms-Copy-Source")); err == nil {
			if _, ours := e.nameIn(source); ours && source.Query().Has("sig") {
				if reason := fault(source.Query()); reason != "" {
					e.refuseAzure(w, c, http.StatusForbidden, "CannotVerifyCopySource", "copy source: "+reason)
					return
				}
			}
		}
		next(w, c)
	}
}

// sasTime reads a time as signatures have it.
// https://learn.microsoft.com/en-us/rest/api/storageservices/formatting-datetime-values
func sasTime(s string) (time.Time, error) {
	for _, layout := range []string{"2006-01-02T15:04Z", time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	return time.Parse(time.RFC3339Nano, s)
}
