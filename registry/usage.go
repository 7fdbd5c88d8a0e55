package registry

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/trace"
	"github.com/blobdock/blobdock/internal/friend"
	"github.com/blobdock/blobdock/usage"
)

// accounting is the middleware's option "usage": how what is in the bucket is counted for the
// metrics while the registry runs.
//
//	usage:
//	  enabled: true
//	  interval: 24h
//	  olderthan: 24h
type accounting struct {
	enabled             bool
	interval, olderThan time.Duration
	uploadAge           time.Duration // the sweep's
}

func accountingOf(p *driver.Params) accounting {
	return accounting{
		enabled:   p.Bool("enabled", true),
		interval:  p.Duration("interval", 24*time.Hour, time.Minute, 365*24*time.Hour),
		olderThan: p.Duration("olderthan", 24*time.Hour, time.Second, 100*365*24*time.Hour),
	}
}

// account counts what is in the bucket, traced by itself: it belongs to no request.
func (a accounting) account(ctx context.Context, store *blobstore.Store) error {
	ctx, span := otel.Tracer(traceScope).Start(ctx, "usage")
	defer span.End()
	f := friend.Of(store)
	r, err := usage.Run(ctx, store.Bucket(), usage.Options{
		Root: f.Layout().Root, OlderThan: a.olderThan, UploadAge: a.uploadAge,
		OnFault: func(fault usage.Fault) {
			f.Log().WarnContext(ctx, "not understood", "kind", fault.Kind, "key", fault.Key, "repository", fault.Repository, "cause", fault.Detail)
		},
	})
	if ctx.Err() != nil {
		return ctx.Err() // the registry stops
	}
	if errors.Is(err, usage.ErrNoRegistry) {
		err = nil // nobody has pushed yet
	}
	metrics.account(r, err)
	if err != nil {
		trace.Fail(span, err)
		return err
	}
	all := r.All()
	f.Log().InfoContext(ctx, "usage", "bytes", r.Total().Bytes, "logical", all.Logical, "repositories", all.Repositories,
		"untagged", r.Untagged.Only.Bytes, "reclaimable", r.Reclaimable.Old.Bytes)
	return nil
}
