package laws

import (
	"cmp"
	"net/http"
	"time"
)

// requestRate slows requests down above a rate for each partition of a bucket.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/optimizing-performance.html
func requestRate(r rule) enforcement {
	rate := r.options.S3.RequestRate
	reads, writes := limitTo(cmp.Or(rate.Reads, 5500), rate.Per), limitTo(cmp.Or(rate.Writes, 3500), rate.Per)
	return func(w http.ResponseWriter, c call, next handler) {
		limiter := writes
		if c.Method == http.MethodGet || c.Method == http.MethodHead {
			limiter = reads
		}
		partition := c.bucket + "/"
		if rate.Partition != nil {
			partition += rate.Partition(c.key)
		}
		if !limiter.allow(partition) {
			r.slowDown(w, c)
			return
		}
		next(w, c)
	}
}

// limitTo lets n requests pass in a time, at once or spread.
func limitTo(n int, per time.Duration) *keyLimiter {
	return newKeyLimiter(KeyRate{Interval: cmp.Or(per, time.Second) / time.Duration(n), Burst: n})
}

func (e rule) slowDown(w http.ResponseWriter, c call) {
	e.refuseS3(w, c, http.StatusServiceUnavailable, "SlowDown", "Please reduce your request rate.")
}
