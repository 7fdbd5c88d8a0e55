package gc

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/layout"
	"github.com/blobdock/blobdock/internal/survey"
	"github.com/blobdock/blobdock/internal/tombstone"
)

// run is one run.
type run struct {
	bucket    driver.Bucket
	features  driver.Features
	options   Options
	layout    layout.Layout
	digests   *survey.Digests
	manifests *survey.Manifests
	round     int // of a run offline

	mu      sync.Mutex // of the summary, and of calls of the options' functions
	summary Summary
}

// Run collects what is unused, and returns after Options.Wait and what its requests take. It ends
// with the first error of b, which repeats what fails in passing: [blobstore.Store.Bucket], or one
// in retry.Wrap. The Summary has all that was done before. ErrStore when nothing can be collected
// on the store.
func Run(ctx context.Context, b driver.Bucket, o Options) (Summary, error) {
	o, err := o.defaults()
	if err != nil {
		return Summary{}, err
	}
	l := layout.Layout{Root: o.Root}
	r := &run{bucket: b, features: b.Features(), options: o, layout: l, digests: new(survey.Digests)}
	r.manifests = survey.NewManifests(b, l, r.digests, o.Concurrency)
	if r.features.Conds.Put != driver.AllConds {
		return Summary{}, fmt.Errorf("%w: conditional writes", ErrStore)
	}
	err = r.all(ctx)
	// The blobs of a deleted manifest are unused then, and nobody pushes.
	for r.round = 1; o.Offline && !o.DryRun && err == nil && r.round < maxRounds; r.round++ {
		before := r.summary.Deleted
		if err = r.all(ctx); r.summary.Deleted == before {
			break
		}
	}
	return r.summary, err
}

// maxRounds is more than indexes of indexes need.
const maxRounds = 10

func (r *run) all(ctx context.Context) error {
	unused, err := r.unused(ctx)
	if err != nil || r.options.DryRun {
		return err
	}
	c := &collection{run: r}
	if err := c.condemn(ctx, unused); err != nil {
		return err
	}
	if len(c.condemned) > 0 {
		if err := c.wait(ctx); err != nil {
			return err
		}
		if err := c.decide(ctx); err != nil {
			return err
		}
	}
	if err := c.finish(ctx); err != nil {
		return err
	}
	return c.expire(ctx)
}

// candidate is an object that nothing refers to.
type candidate struct {
	digest digest.Digest // in its key
	object driver.Object
}

// unused finds what nothing refers to and is old, as far as the limit goes.
func (r *run) unused(ctx context.Context) (all []candidate, err error) {
	note := func(d digest.Digest, o driver.Object) {
		r.mu.Lock()
		defer r.mu.Unlock()
		if !r.old(o) {
			return
		}
		if len(all) == r.options.Limit {
			r.summary.Left++
			return
		}
		all = append(all, candidate{d, o})
		r.summary.Unused++
		if layout.IsBlob(o.Key) {
			r.summary.UnusedBytes += o.Size
		}
		if r.options.DryRun {
			r.options.OnObject(Object{o.Key, o.Size, o.ModTime, Unused})
		}
	}
	m := &mark{run: r, phase: Marking, link: func(k survey.Key, needed bool) {
		if !needed {
			note(k.Digest, k.Object)
		}
	}}
	if err := m.all(ctx); err != nil {
		return nil, err
	}
	for e, err := range driver.List(ctx, r.bucket, driver.ListRequest{Prefix: r.layout.Blobs()}) {
		if err != nil {
			return nil, fmt.Errorf("blobs: %w", err)
		}
		name, ok := r.layout.Parse(e.Key)
		if !ok {
			continue // check tells of it
		}
		if id, known := r.digests.Find(name.Digest); !known || !m.refs.Has(id) {
			note(name.Digest, e.Object)
		}
		r.count(func(s *Summary) {
			if r.round > 0 {
				return
			}
			s.Blobs++
			s.BlobBytes += e.Size
			if s.Blobs%1000 == 0 {
				r.options.Progress(Listing, s.Blobs, 0)
			}
		})
	}
	return all, nil
}

// old reports whether an object may be collected, as far as its age goes.
func (r *run) old(o driver.Object) bool {
	return !o.ModTime.IsZero() && o.ModTime.Before(r.features.Time().Add(-r.options.OlderThan))
}

// each calls do with 0 to n-1, some at a time.
func (r *run) each(ctx context.Context, n int, do func(context.Context, int) error) error {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(r.options.Concurrency)
	for i := range n {
		g.Go(func() error { return do(gctx, i) })
	}
	return g.Wait()
}

func (r *run) count(change func(*Summary)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(&r.summary)
}

func (r *run) progress(phase Phase, done, total int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.options.Progress(phase, done, total)
}

// collection is what a run does with tombstones.
type collection struct {
	*run
	condemned []*condemned
	ended     []tombstone.Stored // to be removed
	acked     time.Time          // of the last tombstone, or of the list of those that were there
}

// condemned is an object with a tombstone.
type condemned struct {
	tombstone.Stored
	digest digest.Digest
	object driver.Object // as it was looked at last; zero when it was not, or is gone
	needed bool
	gone   bool // it was seen gone
}
