package laws

import (
	"net/http"
	"sync"
	"time"
)

// tokenExpiry lets session tokens end.
func tokenExpiry(r rule) enforcement {
	var mu sync.Mutex
	first := make(map[string]time.Time) // when a token was first seen
	return func(w http.ResponseWriter, c call, next handler) {
		s, _ := signedBy(c)
		if s.token != "" && r.options.S3.TokenLife > 0 {
			mu.Lock()
			if _, ok := first[s.token]; !ok {
				first[s.token] = time.Now()
			}
			ended := time.Since(first[s.token]) >= r.options.S3.TokenLife
			mu.Unlock()
			if ended {
				r.refuseS3(w, c, http.StatusBadRequest, "ExpiredToken", "The provided token has expired.")
				return
			}
		}
		next(w, c)
	}
}
