package registry

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/distribution/distribution/v3/registry/storage"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/mem"
	"github.com/blobdock/blobdock/gc"
)

// TestMiddlewareRefuses, at the start, what would fail each time that garbage is collected.
func TestMiddlewareRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		store   string
		options map[string]any
		kind    error
		want    string
	}{
		"what is younger than the wait": {"gcs", map[string]any{"gc": map[string]any{"olderthan": "90m"}}, driver.Invalid, "gc: olderthan 1h30m0s: want collection_wait, 2h0m0s, or more"},
		"a store without conditions":    {"ceph", map[string]any{"gc": map[string]any{}}, gc.ErrStore, "conditional writes"},
		"no policy":                     {"gcs", map[string]any{"gc": map[string]any{"retention": "/none.yml"}}, nil, "/none.yml"},
		"an unknown option":             {"gcs", map[string]any{"gcs": map[string]any{}}, driver.Invalid, `unknown option "gcs", valid ones are gc, pulls, sweep, usage`},
		"a bad interval":                {"gcs", map[string]any{"pulls": map[string]any{"interval": "1s"}}, driver.Invalid, "pulls: parameter interval"},
	} {
		s, err := blobstore.New(mem.NewWith(mem.Imitations()[tt.store]), blobstore.Options{CollectionWait: 2 * time.Hour, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		d := NewDriver(s)
		inner, err := storage.NewRegistry(t.Context(), d)
		if err != nil {
			t.Fatal(err)
		}
		_, err = newMiddleware(t.Context(), inner, d, tt.options)
		if err == nil || !strings.Contains(err.Error(), tt.want) || tt.kind != nil && !errors.Is(err, tt.kind) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}
