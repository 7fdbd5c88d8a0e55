package registry

import (
	"context"
	"fmt"
	"os"
	"time"

	"go.opentelemetry.io/otel"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/trace"
	"github.com/blobdock/blobdock/gc"
	"github.com/blobdock/blobdock/internal/friend"
	"github.com/blobdock/blobdock/retention"
)

// collecting is the middleware's option "gc": how garbage is collected while the registry runs.
//
//	gc:
//	  enabled: true
//	  interval: 24h
//	  olderthan: 24h
//	  untagged: false
//	  orphanedreferrers: false
//	  retention: /etc/blobdock/retention.yml
//	  quarantine: 0s
//	  limit: 10000
//	  dryrun: false
type collecting struct {
	enabled             bool
	interval, olderThan time.Duration
	quarantine          time.Duration
	untagged, orphaned  bool
	retention           string // a file with a policy, "" for none
	limit               int
	dryRun              bool
}

func collectingOf(p *driver.Params) collecting {
	return collecting{
		enabled:    p.Bool("enabled", true),
		interval:   p.Duration("interval", 24*time.Hour, time.Minute, 365*24*time.Hour),
		olderThan:  p.Duration("olderthan", 24*time.Hour, time.Second, 100*365*24*time.Hour),
		untagged:   p.Bool("untagged", false),
		orphaned:   p.Bool("orphanedreferrers", false),
		quarantine: p.Duration("quarantine", 0, 0, 10*365*24*time.Hour),
		retention:  p.String("retention", ""),
		limit:      p.Int("limit", 10_000, 1, 10_000_000),
		dryRun:     p.Bool("dryrun", false),
	}
}

// collect collects garbage, traced by itself: it belongs to no request.
func (c collecting) collect(ctx context.Context, store *blobstore.Store) error {
	ctx, span := otel.Tracer(traceScope).Start(ctx, "gc")
	defer span.End()
	f := friend.Of(store)
	if c.retention != "" {
		if err := c.retain(ctx, store); err != nil {
			trace.Fail(span, err)
			return fmt.Errorf("retention: %w", err)
		}
	}
	s, err := gc.Run(ctx, store.Bucket(), gc.Options{
		Root: f.Layout().Root, Wait: f.Watch().Wait(), OlderThan: c.olderThan, Untagged: c.untagged, OrphanedReferrers: c.orphaned, Limit: c.limit, Quarantine: c.quarantine, DryRun: c.dryRun, Log: f.Log(),
		OnObject: func(o gc.Object) {
			f.Log().InfoContext(ctx, "garbage", "fate", o.Fate, "key", o.Key, "size", o.Size, "modified", o.ModTime, "dryrun", c.dryRun)
		},
		OnFault: func(key, detail string) {
			f.Log().WarnContext(ctx, "garbage collection keeps what it does not understand", "key", key, "cause", detail)
		},
	})
	if ctx.Err() != nil {
		return ctx.Err() // the registry stops
	}
	metrics.collected(s, err)
	if err != nil {
		trace.Fail(span, err)
	}
	f.Log().InfoContext(ctx, "garbage collection finished", "unused", s.Unused, "deleted", s.Deleted, "bytes", s.DeletedBytes, "rescued", s.Rescued, "left", s.Left)
	return err
}

// policy reads the file with the retention policy, which may have changed.
func (c collecting) policy() (p retention.Policy, err error) {
	text, err := os.ReadFile(c.retention)
	if err != nil {
		return p, err
	}
	if p, err = retention.Parse(text); err != nil {
		return p, fmt.Errorf("%s: %w", c.retention, err)
	}
	return p, nil
}

// retain deletes tags by the policy.
func (c collecting) retain(ctx context.Context, store *blobstore.Store) error {
	p, err := c.policy()
	if err != nil {
		return err
	}
	f := friend.Of(store)
	s, err := retention.Run(ctx, store.Bucket(), p, retention.Options{Root: f.Layout().Root, DryRun: c.dryRun,
		OnTag: func(repo string, t retention.Tag) {
			f.Log().InfoContext(ctx, "tag goes by the retention policy", "repository", repo, "tag", t.Name, "pushed", t.Pushed, "dryrun", c.dryRun)
		},
		OnSpared: func(repo string) {
			f.Log().WarnContext(ctx, "the retention policy would leave a repository without tags, so that all stay", "repository", repo)
		},
	})
	f.Log().InfoContext(ctx, "retention finished", "tags", s.Tags, "deleted", s.Deleted, "moved", s.Moved, "spared", s.Spared)
	if s.Note != "" {
		f.Log().WarnContext(ctx, "retention", "note", s.Note)
	}
	return err
}
