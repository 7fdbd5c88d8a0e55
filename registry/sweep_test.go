package registry

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/fault"
	"github.com/blobdock/blobdock/driver/mem"
)

// values are those of a process's metrics that have no more than one label.
func values(t *testing.T, g prometheus.Gatherer) map[string]float64 {
	t.Helper()
	families, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := make(map[string]float64)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := f.GetName()
			for _, l := range m.GetLabel() {
				name += " " + l.GetValue()
			}
			out[name] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return out
}

// TestSweepsAreCounted sweeps an abandoned upload: to tell of it, to remove it, and
// with a store that fails.
func TestSweepsAreCounted(t *testing.T) {
	store := mem.New()
	var fails bool
	b := driver.Wrap(store, func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
		if fails && c.Op == driver.OpList {
			return &driver.Error{Op: c.Op, Key: c.Key, Kind: driver.Denied, Err: fault.ErrInjected}
		}
		return next(ctx)
	})
	s, err := blobstore.New(b, blobstore.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	const key = "docker/registry/v2/repositories/a/_uploads/0b9a2f6e-9b0c-4a51-8a4d-0b1d2b8f2c11/data"
	if err := NewDriver(s).PutContent(t.Context(), "/"+key, []byte("part")); err != nil {
		t.Fatal(err)
	}
	const ok, failed, folders, last = "blobdock_sweeps_total ok", "blobdock_sweeps_total failed", "blobdock_sweep_removed_total folder", "blobdock_sweep_last_success_timestamp_seconds"
	for _, tt := range []struct {
		name   string
		sweep  sweeping
		fails  bool
		grows  string
		folder float64
		gone   bool
	}{
		{"dry run", sweeping{dryRun: true, age: -time.Hour}, false, ok, 0, false},
		{"failing", sweeping{age: -time.Hour}, true, failed, 0, false},
		{"removing", sweeping{age: -time.Hour}, false, ok, 1, true},
	} {
		began := time.Now().Unix()
		fails = tt.fails
		before := values(t, prometheus.DefaultGatherer)
		if err := tt.sweep.sweep(t.Context(), s); errors.Is(err, fault.ErrInjected) != tt.fails {
			t.Errorf("%s: %v", tt.name, err)
		}
		fails = false
		after := values(t, prometheus.DefaultGatherer)
		if after[tt.grows] != before[tt.grows]+1 || after[ok]+after[failed] != before[ok]+before[failed]+1 || after[folders] != before[folders]+tt.folder {
			t.Errorf("%s: got %v, had %v", tt.name, after, before)
		}
		if after[last] != before[last] && tt.fails || after[last] < float64(began) && !tt.fails {
			t.Errorf("%s: last success at %v, was %v", tt.name, after[last], before[last])
		}
		if _, err := store.Stat(t.Context(), key); errors.Is(err, driver.NotFound) != tt.gone {
			t.Errorf("%s: %v, want it gone: %v", tt.name, err, tt.gone)
		}
	}
}

// BenchmarkObserve is what counting costs a call.
func BenchmarkObserve(b *testing.B) {
	m := newMetrics(prometheus.NewRegistry()) // a second one in a process
	through := func(ctx context.Context, _ *driver.Call, next func(context.Context) error) error { return next(ctx) }
	for _, tt := range []struct {
		name   string
		bucket driver.Bucket
	}{{"counted", m.observe(mem.New())}, {"bare", driver.Wrap(mem.New(), through)}} {
		b.Run(tt.name, func(b *testing.B) {
			if err := tt.bucket.Delete(b.Context(), "k", driver.DeleteOptions{}); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if err := tt.bucket.Delete(b.Context(), "k", driver.DeleteOptions{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
