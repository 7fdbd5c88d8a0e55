package blobstore_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/distribution/distribution/v3"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/fault"
	"github.com/blobdock/blobdock/driver/retry"
)

// TestVanishedStream has a blob go while a lookup of it is kept, or the store. The
// answer is an error and no empty 200.
func TestVanishedStream(t *testing.T) {
	for name, tt := range map[string]struct {
		kind driver.Kind
		want error
	}{"gone": {driver.NotFound, distribution.ErrBlobUnknown}, "store is down": {driver.Unavailable, driver.Unavailable}} {
		script := fault.Script{}
		b := driver.Wrap(newBucket(t), func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
			if len(script) > 0 && c.Op == driver.OpOpen {
				return driver.NewError(c.Op, c.Key, tt.kind)
			}
			return next(ctx)
		})
		repo, d := serving(t, b, blobstore.Options{Retry: retry.Policy{Base: time.Millisecond}}, content(8, 1000))
		serve(t, repo, d, http.MethodGet, nil)
		script = fault.Script{{}}
		w := httptest.NewRecorder()
		err := repo.ServeBlob(t.Context(), w, httptest.NewRequest(http.MethodGet, "/", nil), d)
		if !errors.Is(err, tt.want) || w.Body.Len() > 0 || w.Header().Get("Content-Length") != "" || w.Header().Get("ETag") != "" {
			t.Errorf("%s: %v, %d bytes, headers %v; want %v and nothing", name, err, w.Body.Len(), w.Header(), tt.want)
		}
	}
}
