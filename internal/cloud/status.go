package cloud

import (
	"net/http"
	"strconv"
	"time"

	"github.com/blobdock/blobdock/driver"
)

// KindOfStatus is for replies whose code says no more.
func KindOfStatus(status int) driver.Kind {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return driver.Denied
	case http.StatusNotFound:
		return driver.NotFound
	case http.StatusMethodNotAllowed, http.StatusNotImplemented:
		return driver.Unsupported
	case http.StatusRequestTimeout, http.StatusTemporaryRedirect:
		return driver.Unavailable
	case http.StatusPreconditionFailed:
		return driver.Mismatch
	case http.StatusRequestedRangeNotSatisfiable:
		return driver.OutOfRange
	case http.StatusTooManyRequests:
		return driver.Throttled
	case http.StatusRequestEntityTooLarge:
		return driver.TooLarge
	case http.StatusInsufficientStorage:
		return driver.Full
	}
	switch {
	case status >= 500: // a 503 of a proxy, too: the store may have done it
		return driver.Unavailable
	case status >= 300:
		return driver.Invalid
	default:
		// No reply, or one that says success and can't be read.
		return driver.Unavailable
	}
}

// wait fills in how long a store that is busy asks to wait.
func (c *Call) wait(e *driver.Error) {
	if e.Kind.Temporary() {
		e.RetryAfter = retryAfter(c.Header, time.Now())
	}
}

// maxRetryAfter bounds what a store can ask for: who waits longer has given up.
const maxRetryAfter = time.Hour

// retryAfter is in seconds, or a date; Azure's SDKs know milliseconds as well.
func retryAfter(h http.Header, now time.Time) time.Duration {
	for _, name := range []string{"Retry-After-Ms", "X-Ms-Retry-After-Ms"} {
		if n, err := strconv.Atoi(h.Get(name)); err == nil && n > 0 {
			return time.Duration(min(n, int(maxRetryAfter/time.Millisecond))) * time.Millisecond
		}
	}
	v := h.Get("Retry-After")
	if n, err := strconv.Atoi(v); err == nil && n > 0 {
		return time.Duration(min(n, int(maxRetryAfter/time.Second))) * time.Second
	}
	if t, err := http.ParseTime(v); err == nil && t.After(now) {
		return min(t.Sub(now), maxRetryAfter)
	}
	return 0
}

// skew is a difference between two clocks that is worth telling. Stores take 15
// minutes:
// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html (RequestTimeTooSkewed)
// https://learn.microsoft.com/en-us/rest/api/storageservices/authorize-with-shared-key
const skew = 5 * time.Minute

// Clocks says what to do about clocks that differ by so much that a signature may
// fail; "" when they don't.
func (c *Call) Clocks() string {
	theirs, ours := c.Date(), time.Now()
	if theirs.IsZero() || ours.Sub(theirs).Abs() <= skew {
		return ""
	}
	return "the store's clock says " + theirs.UTC().Format(time.RFC3339) + ", this machine's " +
		ours.UTC().Format(time.RFC3339) + ": set the wrong one of the two, usually this machine's"
}
