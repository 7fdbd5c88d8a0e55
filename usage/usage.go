package usage

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/layout"
	"github.com/blobdock/blobdock/internal/survey"
)

// Options say what to count. The zero value of each field is its default.
type Options struct {
	// Root is where the registry lies in the bucket; docker/registry/v2.
	Root string
	// OlderThan is the age from which on blobs are reclaimable; 24 h. Below a second it is none.
	OlderThan time.Duration
	// UploadAge is how long an abandoned upload has not been touched;
	// blobstore.DefaultSweepAge.
	UploadAge time.Duration
	// Concurrency is how many objects are read at the same time; 16.
	Concurrency int
	// OnFault is called for each manifest and link that can't be understood, by one goroutine
	// at a time.
	OnFault func(Fault)
	// Progress is called often, by one goroutine at a time.
	Progress func(Progress)
}

// Fault is a manifest or a link that could be read, and not be understood.
type Fault struct {
	Kind       FaultKind
	Key        string
	Repository string // where it was come upon first
	Detail     string
}

// FaultKind names what can't be understood, as package check does.
type FaultKind string

// The kinds of faults.
const (
	ManifestMalformed FaultKind = "manifest-malformed"
	LinkMalformed     FaultKind = "link-malformed"
)

// Progress is how far a run is.
type Progress struct {
	Phase Phase
	Done  int64 // keys that were listed
}

// Phase is a part of a run. They come in this order.
type Phase string

// The phases of a run.
const (
	Blobs        Phase = "blobs"
	Repositories Phase = "repositories"
	Unfinished   Phase = "uploads"
)

// ErrNoRegistry is when a bucket has neither blobs nor repositories.
var ErrNoRegistry = errors.New("no registry is there")

// Run counts what is in the registry in b, which should repeat what fails in passing, as
// that of a blobstore.Store does.
//
// The error is of the store, or ctx's, and there is no report then. Invalid for options that
// are no good, [ErrNoRegistry] when there is nothing to count.
func Run(ctx context.Context, b driver.Bucket, o Options) (Report, error) {
	o, err := o.defaults()
	if err != nil {
		return Report{}, err
	}
	r := newRun(b, o)
	for _, phase := range []func(context.Context) error{r.settings, r.listBlobs, r.repositories, r.uploads} {
		if err := phase(ctx); err != nil {
			return Report{}, err
		}
	}
	if len(r.owners.repositories) == 0 && r.report.Blobs.Objects == 0 {
		return Report{}, fmt.Errorf("below %s/: %w", o.Root, ErrNoRegistry)
	}
	r.sum()
	return r.report, nil
}

func (o Options) defaults() (Options, error) {
	if o.Root == "" {
		o.Root = layout.DefaultRoot
	}
	if o.OlderThan == 0 {
		o.OlderThan = 24 * time.Hour
	}
	if o.UploadAge == 0 {
		o.UploadAge = blobstore.DefaultSweepAge
	}
	if o.Concurrency == 0 {
		o.Concurrency = 16
	}
	if o.OnFault == nil {
		o.OnFault = func(Fault) {}
	}
	if o.Progress == nil {
		o.Progress = func(Progress) {}
	}
	if o.OlderThan < 0 || o.UploadAge < 0 || o.Concurrency < 0 {
		return o, fmt.Errorf("ages and concurrency must not be negative: %w", driver.Invalid)
	}
	return o, nil
}

// run is one account.
type run struct {
	bucket    driver.Bucket
	features  driver.Features
	options   Options
	layout    layout.Layout
	digests   *survey.Digests
	manifests *survey.Manifests
	teams     *teams

	young  survey.Set // blobs that may belong to a push under way
	live   survey.Set // what the repositories' manifests and tags name, the manifests themselves among it
	tagged survey.Set // what tags reach

	mu     sync.Mutex // of what follows, and of the options' functions
	blobs  table
	owners owners
	faulty survey.Set // manifests that were told of
	report Report
}

func newRun(b driver.Bucket, o Options) *run {
	l, digests := layout.Layout{Root: o.Root}, new(survey.Digests)
	return &run{
		bucket: b, features: b.Features(), options: o, layout: l, digests: digests,
		manifests: survey.NewManifests(b, l, digests, o.Concurrency), teams: newTeams(l),
	}
}

// settings asks whether the bucket keeps what is deleted and replaced.
func (r *run) settings(ctx context.Context) error {
	if r.features.Settings == nil {
		return nil
	}
	all, err := r.features.Settings(ctx)
	if err != nil {
		return fmt.Errorf("settings of the bucket: %w", err)
	}
	for _, s := range all {
		if s.KeepsNoncurrent() {
			r.report.Noncurrent = append(r.report.Noncurrent, s)
		}
	}
	return nil
}

func (r *run) listBlobs(ctx context.Context) error {
	done := int64(0)
	for e, err := range driver.List(ctx, r.bucket, driver.ListRequest{Prefix: r.layout.Blobs()}) {
		if err != nil {
			return fmt.Errorf("blobs: %w", err)
		}
		done++
		r.options.Progress(Progress{Blobs, done})
		name, ok := r.layout.Parse(e.Key)
		if !ok {
			r.report.Others.add(e.Size)
			continue
		}
		r.report.Blobs.add(e.Size)
		id := r.digests.List(name.Digest)
		r.blobs.add(id, e.Size)
		// Ages below a second can't be told: stores tell times in seconds.
		if r.options.OlderThan >= time.Second && r.after(e.ModTime, r.options.OlderThan) {
			r.young.Add(id)
		}
	}
	return nil
}

// after reports whether at is less than age ago, by the store's clock as far as it is known.
func (r *run) after(at time.Time, age time.Duration) bool {
	return at.After(r.features.Time().Add(-age))
}

// sum adds up what only the end of the run tells.
func (r *run) sum() {
	for id, b := range r.blobs.all() {
		live := r.live.Has(id)
		switch {
		case live && !r.tagged.Has(id):
			r.report.Untagged.Only.add(b.size)
		case !live && r.young.Has(id):
			r.report.Reclaimable.Young.add(b.size)
		case !live:
			r.report.Reclaimable.Old.add(b.size)
		}
		if b.repository == nobody {
			r.report.Orphans.add(b.size)
		}
	}
	r.report.Repositories, r.report.Teams = r.owners.repositories, r.owners.teams
	_ = r.report.Sort(ByName) // which is an order
}

// fault tells of what can't be understood.
func (r *run) fault(f Fault) {
	switch f.Kind {
	case ManifestMalformed:
		r.report.MalformedManifests++
	case LinkMalformed:
		r.report.MalformedLinks++
	}
	r.options.OnFault(f)
}
