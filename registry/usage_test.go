package registry

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/distribution/reference"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/fault"
	"github.com/blobdock/blobdock/driver/mem"
)

// TestAccounts counts a bucket without a registry, with a blob that nobody names, and one that
// fails, after which the numbers of before stay.
func TestAccounts(t *testing.T) {
	var fails bool
	b := driver.Wrap(mem.New(), func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
		if fails && c.Op == driver.OpList {
			return &driver.Error{Op: c.Op, Key: c.Key, Kind: driver.Denied, Err: fault.ErrInjected}
		}
		return next(ctx)
	})
	s, err := blobstore.New(b, blobstore.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	const total, blobs, reclaimable, last = "blobdock_usage_bytes total", "blobdock_usage_bytes blobs", "blobdock_usage_bytes reclaimable", "blobdock_usage_last_success_timestamp_seconds"
	a := accounting{olderThan: time.Nanosecond, uploadAge: time.Hour}
	began := float64(time.Now().Unix())
	if err := a.account(t.Context(), s); err != nil {
		t.Errorf("without a registry: %v", err)
	}
	if got := values(t, prometheus.DefaultGatherer); got[total] != 0 || got[last] < began {
		t.Errorf("without a registry: %v", got)
	}
	name, err := reference.WithName("team/app")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Repository(name).Put(t.Context(), "", []byte("unused")); err != nil {
		t.Fatal(err)
	}
	for _, fails = range []bool{false, true} {
		if err := a.account(t.Context(), s); errors.Is(err, fault.ErrInjected) != fails {
			t.Errorf("failing %v: %v", fails, err)
		}
		got := values(t, prometheus.DefaultGatherer)
		if got[blobs] != 6 || got[reclaimable] != 6 || got[total] != 6+float64(len("sha256:")+64) {
			t.Errorf("failing %v: %v", fails, got)
		}
	}
}

// TestPrepareUsage takes the section for the middleware's, unless the registry is read-only.
func TestPrepareUsage(t *testing.T) {
	for readOnly, want := range map[string]any{"false": map[any]any{"interval": "1h"}, "true": nil} {
		config, err := configuration.Parse(strings.NewReader("version: 0.1\nstorage:\n  blobdock: {url: mem://prepared}\n  maintenance:\n    usage: {interval: 1h}\n    readonly: {enabled: " + readOnly + "}\n"))
		if err != nil {
			t.Fatal(err)
		}
		if err := Prepare(config); err != nil {
			t.Fatal(err)
		}
		options := config.Middleware["registry"][0].Options
		if diff := cmp.Diff(want, options["usage"]); diff != "" || config.Storage["maintenance"]["usage"] != nil {
			t.Errorf("read-only %s: -want +got:\n%s", readOnly, diff)
		}
		u, _, err := parseUpkeep(options)
		if err != nil || u.account.enabled != (readOnly == "false") || u.account.uploadAge != blobstore.DefaultSweepAge || readOnly == "false" && u.account.interval != time.Hour {
			t.Errorf("read-only %s: %+v, %v", readOnly, u.account, err)
		}
	}
	if _, _, err := parseUpkeep(map[string]any{"usage": map[string]any{"interval": "1s"}}); !errors.Is(err, driver.Invalid) || !strings.Contains(err.Error(), "usage: ") {
		t.Errorf("an interval of a second: %v", err)
	}
}
