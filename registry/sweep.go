package registry

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"go.opentelemetry.io/otel"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/trace"
	"github.com/blobdock/blobdock/internal/friend"
)

// sweeping is the middleware's option "sweep": how abandoned uploads are removed
// while the registry runs. Names and defaults are those of distribution's own
// uploadpurging, which it replaces.
//
//	sweep:
//	  enabled: true
//	  age: 168h
//	  interval: 24h
//	  dryrun: false
type sweeping struct {
	enabled       bool
	age, interval time.Duration
	dryRun        bool
}

func parseSweep(options map[string]any) (sweeping, error) {
	s, _, err := readSweep(options)
	return s, err
}

// SweepSettings are the parameters of the middleware's option "sweep", and what they
// come to.
func SweepSettings(options map[string]any) ([]driver.Setting, error) {
	_, p, err := readSweep(options)
	if err != nil {
		return nil, err
	}
	return p.Settings(), nil
}

func readSweep(options map[string]any) (sweeping, *driver.Params, error) {
	s := sweeping{age: blobstore.DefaultSweepAge, interval: 24 * time.Hour}
	for name := range options {
		if name != "sweep" {
			return s, nil, fmt.Errorf("registry middleware blobdock: unknown option %q, valid ones are sweep: %w", name, driver.Invalid)
		}
	}
	section := make(map[string]any)
	switch m := options["sweep"].(type) {
	case nil:
		return s, driver.NewParams(nil), nil
	case map[string]any:
		section = m
	case map[any]any: // what distribution's YAML reader makes
		for k, v := range m {
			section[fmt.Sprint(k)] = v
		}
	default:
		return s, nil, fmt.Errorf("registry middleware blobdock: sweep is a %T, want a section with enabled, age, interval, dryrun: %w", m, driver.Invalid)
	}
	q := make(map[string][]string)
	for k, v := range section {
		q[k] = []string{fmt.Sprint(v)}
	}
	p := driver.NewParams(q)
	s.enabled = p.Bool("enabled", true)
	s.age = p.Duration("age", s.age, time.Minute, 100*365*24*time.Hour)
	s.interval = p.Duration("interval", s.interval, time.Minute, 365*24*time.Hour)
	s.dryRun = p.Bool("dryrun", false)
	if err := p.Err(); err != nil {
		return s, nil, fmt.Errorf("registry middleware blobdock: sweep: %w", err)
	}
	return s, p, nil
}

// run sweeps until ctx ends, one replica of all at a time and once in an interval.
// It begins after a random part of an hour, so that replicas started together don't
// all ask at once.
func (s sweeping) run(ctx context.Context, store *blobstore.Store) {
	next := time.NewTimer(rand.N(min(s.interval, time.Hour)))
	defer next.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-next.C:
		}
		lease, err := friend.Of(store).RunWithLease(ctx, "sweep", s.interval, func(ctx context.Context) error { return s.sweep(ctx, store) })
		if err != nil && ctx.Err() == nil {
			friend.Of(store).Log().WarnContext(ctx, "sweep", "cause", err)
		}
		next.Reset(s.wait(time.Since(lease.Began)))
	}
}

// wait is how long to wait when the last sweep began so long ago.
func (s sweeping) wait(ago time.Duration) time.Duration {
	left := s.interval - ago
	if left <= 0 || left > s.interval {
		left = s.interval // it goes on for so long, or failed; or clocks differ
	}
	return left + rand.N(s.interval/20+1)
}

// sweep sweeps, traced by itself: it belongs to no request.
func (s sweeping) sweep(ctx context.Context, store *blobstore.Store) error {
	ctx, span := otel.Tracer(traceScope).Start(ctx, "sweep")
	defer span.End()
	log := friend.Of(store).Log()
	result, err := store.Sweep(ctx, blobstore.SweepOptions{OlderThan: s.age, DryRun: s.dryRun, OnOrphan: func(o blobstore.Orphan) {
		log.InfoContext(ctx, "abandoned upload", "kind", o.Kind, "key", o.Key, "touched", o.Touched, "dryrun", s.dryRun)
	}})
	if ctx.Err() != nil {
		return ctx.Err() // the registry stops
	}
	metrics.sweep(result, s.dryRun, err)
	if err != nil {
		trace.Fail(span, err)
	}
	log.InfoContext(ctx, "sweep finished", "uploads", result.Uploads, "folders", result.Folders, "parts", result.Parts)
	return err
}

const traceScope = "github.com/blobdock/blobdock/registry"
