package main

import (
	"context"
	"net/http"
	"time"

	"github.com/blobdock/blobdock/integration/wire"
)

// delay has each request wait before the store gets it, as on a longer way there.
// Bytes then flow as fast as ever.
func delay(d time.Duration) wire.Interceptor {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if wait(r.Context(), d) == nil {
			next.ServeHTTP(w, r)
		}
	}
}

func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
