package cloud

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/blobdock/blobdock/driver"
)

// logged makes a request and logs it: neither headers nor queries, which hold
// signatures and tokens.
func logged(req *http.Request, do func(*http.Request) (*http.Response, error)) (*http.Response, error) {
	began := time.Now()
	resp, err := do(req)
	attrs := []slog.Attr{
		slog.String("method", req.Method), slog.String("url", driver.RedactURL(req.URL.String())),
		slog.Int64("sent", req.ContentLength), slog.Duration("took", time.Since(began)),
	}
	if err != nil {
		attrs = append(attrs, slog.String("cause", err.Error()))
	} else {
		attrs = append(attrs, slog.Int("status", resp.StatusCode), slog.Int64("received", resp.ContentLength))
	}
	slog.LogAttrs(req.Context(), slog.LevelInfo, "store request", attrs...)
	return resp, err
}
