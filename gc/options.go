package gc

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/layout"
	"github.com/blobdock/blobdock/internal/tombstone"
)

// Options tune a run. The zero value of each field is its default.
type Options struct {
	// Root is where the registry lies in the bucket; docker/registry/v2.
	Root string
	// OlderThan is the age by the store's clock below which nothing is collected; a day. A push
	// must not take longer from its first blob to its manifest.
	OlderThan time.Duration
	// Wait is the time between finding an object unused and deleting it; an hour. It must be
	// blobstore.Options.CollectionWait of all processes on the bucket, or longer.
	Wait time.Duration
	// Offline is that nobody pushes meanwhile: nothing is too young, and clients are not waited for.
	Offline bool
	// Untagged has manifests collected that no tag reaches. A manifest is reached by an index that
	// is there, and by a subject that is reached, or that is missing: a run collects an index, and
	// the next one what the index had.
	Untagged bool
	// OrphanedReferrers has referrers collected whose subject is missing, unless a tag or an index
	// reaches them. A client that pushes a signature long before what it signs, which the OCI
	// specification allows, loses the signature then.
	OrphanedReferrers bool
	// Quarantine is for how long what was deleted is kept below _quarantine/, for Restore; 0 is not
	// at all. The store copies it there.
	Quarantine time.Duration
	// DryRun tells what would be condemned, and writes nothing.
	DryRun bool
	// Limit is how many objects one run condemns at most; 10,000. The next run goes on.
	Limit int
	// Concurrency is how many requests are under way at the same time; 128, as they are small.
	Concurrency int
	// OnObject is called with each object that is condemned, or with DryRun would be, and again
	// with what becomes of it.
	OnObject func(Object)
	// OnFault is called with what can't be understood, and is kept.
	OnFault func(key, detail string)
	// Progress is told how far a phase is; total 0 is not known.
	Progress func(phase Phase, done, total int64)
	// Log is slog.Default().
	Log *slog.Logger
}

// Phase is what a run is doing.
type Phase string

// The phases of a run, in order.
const (
	Marking   Phase = "marking"
	Listing   Phase = "listing blobs"
	Condemned Phase = "condemning"
	Waiting   Phase = "waiting"
	Again     Phase = "marking again"
	Deleting  Phase = "deleting"
)

// Fate is what becomes of an object.
type Fate string

// The fates.
const (
	Unused  Fate = "unused"  // it is condemned, or would be
	Rescued Fate = "rescued" // somebody needs it, or has put it anew
	Deleted Fate = "deleted"
	// Restored is what Restore copies back.
	Restored Fate = "restored"
)

// Object is an object that nobody refers to.
type Object struct {
	Key     string
	Size    int64 // bytes
	ModTime time.Time
	Fate    Fate
}

// Summary tells what a run has done.
type Summary struct {
	Repositories int64 `json:"repositories"`
	Manifests    int64 `json:"manifests"`
	Blobs        int64 `json:"blobs"`
	BlobBytes    int64 `json:"blob_bytes"`
	// Unused objects, and how many bytes the blobs among them have. Left are those that the next
	// run will condemn.
	Unused      int64 `json:"unused"`
	UnusedBytes int64 `json:"unused_bytes"`
	Left        int64 `json:"left"`
	// Adopted were condemned by an earlier run.
	Adopted      int64 `json:"adopted"`
	Rescued      int64 `json:"rescued"`
	Deleted      int64 `json:"deleted"`
	DeletedBytes int64 `json:"deleted_bytes"`
	Faults       int64 `json:"faults"`
}

// ErrStore is why garbage can't be collected on a store at all.
var ErrStore = errors.New("the store does not offer what garbage collection needs")

func (o Options) defaults() (Options, error) {
	if o.Root == "" {
		o.Root = layout.DefaultRoot
	}
	if o.Offline {
		o.OlderThan, o.Wait = 1, 1
	}
	if o.OlderThan == 0 {
		o.OlderThan = 24 * time.Hour
	}
	if o.Wait == 0 {
		o.Wait = tombstone.DefaultWait
	}
	if o.Limit == 0 {
		o.Limit = 10_000
	}
	if o.Concurrency == 0 {
		o.Concurrency = 128
	}
	if o.OnObject == nil {
		o.OnObject = func(Object) {}
	}
	if o.OnFault == nil {
		o.OnFault = func(string, string) {}
	}
	if o.Progress == nil {
		o.Progress = func(Phase, int64, int64) {}
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.OlderThan < 0 || o.Wait < 0 || o.Quarantine < 0 || o.Limit < 0 || o.Concurrency < 0 {
		return o, fmt.Errorf("age, wait, quarantine, limit and concurrency must not be negative: %w", driver.Invalid)
	}
	if o.OlderThan < o.Wait {
		return o, fmt.Errorf("older than %v, and a wait of %v: the age must not be less than the wait: %w", o.OlderThan, o.Wait, driver.Invalid)
	}
	return o, nil
}
