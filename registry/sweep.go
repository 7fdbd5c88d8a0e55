package registry

import (
	"context"
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

func sweepingOf(p *driver.Params) sweeping {
	return sweeping{
		enabled:  p.Bool("enabled", true),
		age:      p.Duration("age", blobstore.DefaultSweepAge, time.Minute, 100*365*24*time.Hour),
		interval: p.Duration("interval", 24*time.Hour, time.Minute, 365*24*time.Hour),
		dryRun:   p.Bool("dryrun", false),
	}
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
