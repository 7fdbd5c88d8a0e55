package cloud

import (
	"net/http"
	"testing"
	"time"
)

// FuzzContentRange reads what a store says of the range that it delivers.
func FuzzContentRange(f *testing.F) {
	for _, s := range []string{"bytes 2-4/5", "bytes */5", "bytes 0-0/*", "", "bytes 9223372036854775807-9223372036854775808/1", "octets 1-2/3"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		first, size, ok := parseContentRange(s)
		if ok && (first < 0 || size < first) {
			t.Errorf("%q: begins at %d of %d bytes", s, first, size)
		}
	})
}

// FuzzRetryAfter reads how long a store asks to wait.
func FuzzRetryAfter(f *testing.F) {
	for _, s := range []string{"7", "-7", "Tue, 01 Jan 2030 00:00:30 GMT", "9223372036854775807", "1e9"} {
		f.Add(s)
	}
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, s string) {
		if got := retryAfter(http.Header{"Retry-After": {s}, "X-Ms-Retry-After-Ms": {s}}, now); got < 0 {
			t.Errorf("%q: %v", s, got)
		}
	})
}
