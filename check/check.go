package check

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/distribution/reference"
	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/singleflight"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/layout"
)

// Options say what to check. The zero value of each field is its default.
type Options struct {
	// Root is where the registry lies in the bucket; docker/registry/v2.
	Root string
	// Repositories are the only ones to look at; all. Orphans and abandoned uploads
	// elsewhere are not told then.
	Repositories []string
	// OlderThan is the age from which on objects are judged; 1 h. Below a second it is none.
	OlderThan time.Duration
	// Concurrency is how many requests are made at the same time; 16.
	Concurrency int
	// Digest reads every blob that a repository has, and compares its digest.
	Digest bool
	// Ignore are kinds that are neither told nor counted nor repaired.
	Ignore []Kind
	// Repair are the kinds to repair, all of them [Repairable]; none.
	Repair []Kind
	// OnFinding is called for each finding, by one goroutine at a time.
	OnFinding func(Finding)
	// Progress is called often, by one goroutine at a time.
	Progress func(Progress)
	// Resume is where an earlier check with Digest was when Save was last called.
	Resume State
	// Save is called with how far the comparison of digests has got: every few
	// seconds, and when it ends, be it with an error. Its own error ends the check.
	Save func(State) error
}

// Progress is how far a check is.
type Progress struct {
	Phase Phase
	// Done and Total are bytes in Digests, and elsewhere keys. Total is Done while it
	// is not known.
	Done, Total int64
}

// Phase is a part of a check. They come in this order.
type Phase string

// The phases of a check.
const (
	Blobs        Phase = "blobs"
	Digests      Phase = "digests" // with Options.Digest only
	Repositories Phase = "repositories"
)

// Summary counts what was looked at, and what was found.
type Summary struct {
	Blobs, BlobBytes     int64
	Repositories         int64
	Links                int64 // that were read
	Young                int64 // links that were not, as they are younger than Options.OlderThan
	YoungBlobs           int64 // blobs that are so, of which none is told to be an orphan
	Manifests            int64 // in all repositories; those in several count for each
	Compared             int64 // blobs that were read whole, with Options.Digest
	ComparedBytes        int64
	Orphans, OrphanBytes int64
	Found                map[Kind]int64
	Damaged, Repaired    int64 // findings that are damage, and how many of them were repaired
}

// ErrNoRegistry is when a bucket has neither blobs nor repositories.
var ErrNoRegistry = errors.New("no registry is there")

// abandoned is how long an upload is not touched before it is told: what
// blobdock sweep takes by default.
const abandoned = 24 * time.Hour

// Run checks the registry in b, which should repeat what fails in passing, as
// that of a blobstore.Store does.
//
// The error is of the store, or ctx's, and the Summary then is of what was done
// so far. Damage is no error. Invalid for options that are no good,
// [ErrNoRegistry] when there is nothing to check, and NotFound when one of
// Options.Repositories is not there.
func Run(ctx context.Context, b driver.Bucket, o Options) (Summary, error) {
	o, err := o.defaults()
	if err != nil {
		return Summary{}, err
	}
	kept, _ := lru.New[digest.Digest, *manifest](manifestsKept) // fails for a size below 1 only
	r := &run{
		bucket: b, features: b.Features(), options: o, layout: layout.Layout{Root: o.Root},
		now: time.Now(), slots: make(chan struct{}, o.Concurrency), blobs: newIndex(), manifests: kept,
		summary: Summary{Found: make(map[Kind]int64)},
	}
	return r.all(ctx)
}

func (o Options) defaults() (Options, error) {
	if o.Root == "" {
		o.Root = layout.DefaultRoot
	}
	if o.OlderThan == 0 {
		o.OlderThan = time.Hour
	}
	if o.Concurrency == 0 {
		o.Concurrency = 16
	}
	if o.OnFinding == nil {
		o.OnFinding = func(Finding) {}
	}
	if o.Progress == nil {
		o.Progress = func(Progress) {}
	}
	if o.Save == nil {
		o.Save = func(State) error { return nil }
	}
	if o.OlderThan < 0 || o.Concurrency < 0 {
		return o, fmt.Errorf("age and concurrency must not be negative: %w", driver.Invalid)
	}
	for _, name := range o.Repositories {
		if _, err := reference.WithName(name); err != nil {
			return o, fmt.Errorf("repository %q: %w: %w", name, driver.Invalid, err)
		}
	}
	slices.Sort(o.Repositories)
	o.Repositories = slices.Compact(o.Repositories)
	return o, errors.Join(known("ignore", o.Ignore, Kinds()), known("repair", o.Repair, Repairable()))
}

// run is one check.
type run struct {
	bucket    driver.Bucket
	features  driver.Features
	options   Options
	layout    layout.Layout
	now       time.Time
	slots     chan struct{} // one for each request that reads
	blobs     *index
	manifests *lru.Cache[digest.Digest, *manifest]
	comparing singleflight.Group

	mu      sync.Mutex // of what follows, and of the options' functions
	summary Summary
}

func (r *run) all(ctx context.Context) (Summary, error) {
	phases := []func(context.Context) error{r.listBlobs, r.digests, r.repositories, r.leftovers}
	for _, phase := range phases {
		if err := phase(ctx); err != nil {
			return r.summary, err
		}
	}
	return r.summary, nil
}

// partly reports whether only some repositories are looked at.
func (r *run) partly() bool { return len(r.options.Repositories) > 0 }

// young reports whether what was written at that time is not judged yet. Ages below a second
// can't be told: stores tell times in seconds, and Swift rounds them up.
// https://github.com/openstack/swift/blob/2.30.1/swift/obj/server.py (Last-Modified)
func (r *run) young(at time.Time) bool {
	return r.options.OlderThan >= time.Second && at.After(r.now.Add(-r.options.OlderThan))
}

// found tells of f, and repairs it by fix where it is to be repaired; fix may be nil.
func (r *run) found(ctx context.Context, f Finding, fix *repair) error {
	if slices.Contains(r.options.Ignore, f.Kind) {
		return nil
	}
	if fix != nil {
		f.Repair = fix.key
		if slices.Contains(r.options.Repair, f.Kind) {
			changed, err := r.repair(ctx, *fix)
			if err != nil {
				return err
			}
			if f.Repaired = changed == ""; !f.Repaired {
				f.Detail += "; not repaired: " + changed
			}
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.summary.Found[f.Kind]++
	if f.Kind.Damage() {
		r.summary.Damaged++
	}
	if f.Repaired {
		r.summary.Repaired++
	}
	r.options.OnFinding(f)
	return nil
}

// count changes the summary and tells how far the phase is.
func (r *run) count(change func(*Summary) Progress) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.options.Progress(change(&r.summary))
}

// take waits for its turn to send a request. give ends it.
func (r *run) take(ctx context.Context) error {
	select {
	case r.slots <- struct{}{}:
		return ctx.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (r *run) give() { <-r.slots }
