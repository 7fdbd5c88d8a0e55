package laws

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// maxSigned is for how long a signed URL may be valid.
// https://cloud.google.com/storage/docs/access-control/signed-urls
const maxSigned = 7 * 24 * time.Hour

// signedExpiry refuses signed URLs whose time is over. Their signatures are not looked at.
func signedExpiry(r rule) enforcement {
	return func(w http.ResponseWriter, c call, next handler) {
		until, signed, err := validUntil(c.URL.Query())
		switch {
		case err != nil:
			r.refuseGCS(w, c, http.StatusBadRequest, "AuthenticationRequired", err.Error())
		case signed && time.Now().After(until):
			r.refuseGCS(w, c, http.StatusBadRequest, "ExpiredToken", "Invalid argument.")
		default:
			next(w, c)
		}
	}
}

// validUntil is when the time of a URL is over that is signed by version 4 or 2.
// https://cloud.google.com/storage/docs/authentication/signatures
func validUntil(q url.Values) (until time.Time, signed bool, err error) {
	switch {
	case q.Has("X-Goog-Signature"):
		at, err := time.Parse("20060102T150405Z", q.Get("X-Goog-Date"))
		if err != nil {
			return time.Time{}, true, fmt.Errorf("the parameter X-Goog-Date %q is no time", q.Get("X-Goog-Date"))
		}
		seconds, err := strconv.ParseInt(q.Get("X-Goog-Expires"), 10, 64)
		if valid := time.Duration(seconds) * time.Second; err != nil || valid <= 0 || valid > maxSigned {
			return time.Time{}, true, fmt.Errorf("the parameter X-Goog-Expires %q is not between 1 and %d seconds", q.Get("X-Goog-Expires"), int(maxSigned.Seconds()))
		}
		return at.Add(time.Duration(seconds) * time.Second), true, nil
	case q.Has("GoogleAccessId"):
		at, err := strconv.ParseInt(q.Get("Expires"), 10, 64)
		if err != nil {
			return time.Time{}, true, fmt.Errorf("the parameter Expires %q is no time", q.Get("Expires"))
		}
		return time.Unix(at, 0), true, nil
	}
	return time.Time{}, false, nil
}
