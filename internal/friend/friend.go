// Package friend gives this module's packages, and no other module, access to what
// blobstore.Store does not export.
//
// The store embeds an [Access] under an alias that it does not export, so that other
// modules can use neither the field nor the method. [Of] finds the [Store] in it.
package friend

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/layout"
	"github.com/blobdock/blobdock/internal/tombstone"
)

// Store is a blobstore.Store by its keys, as distribution's storage driver, the sweep of a
// running registry and package transfer use it.
type Store interface {
	// Layout is the keys of the registry in the bucket.
	Layout() layout.Layout
	// Log is the logger that the store reports to.
	Log() *slog.Logger
	// Concat is driver.Concat. A sweep finds what is left of it when the process dies.
	Concat(ctx context.Context, r driver.ConcatRequest) error
	// UseSecret sets blobstore.Options.Secret after New. The first secret stays.
	UseSecret(secret string)

	// PutLink writes a link to target, as often as the store wants: many may write the same
	// at once.
	PutLink(ctx context.Context, key string, target digest.Digest, contentType string) error
	// LookupTTL is for how long something that was found counts as there; negative is not at
	// all.
	LookupTTL() time.Duration
	// Request is the HTTP request that a call serves, nil where none is known.
	Request(ctx context.Context) *http.Request
	// Epoch changes with each deletion in this process: what was found before may be gone.
	Epoch() uint64
	// Deleted has the next epoch begin.
	Deleted()

	// Announce tells the sizes of blobs, as manifests have them. They may be wrong.
	Announce(blobs []v1.Descriptor)

	// Watch knows what garbage collection is about to delete.
	Watch() *tombstone.Watch
	// LookupSince is blobstore.Repository.Lookup of a repository, which asks the store, and
	// takes what sight hides for absent.
	LookupSince(ctx context.Context, repo string, d digest.Digest, sight tombstone.Sight) error
	// Sighted is blobstore.Repository.Lookup of a repository, and tells since when tombstones
	// were known when the blob was found. The time is zero where that is not known.
	Sighted(ctx context.Context, repo string, d digest.Digest) (since time.Time, err error)

	// CachedLink returns the content of the link at key, and CachedBlob describes the blob
	// at key, if the lookup cache has them: a lookup or a push has just shown them to be
	// there. They spare distribution's own code a request each.
	CachedLink(ctx context.Context, key string) (digest.Digest, bool)
	CachedBlob(ctx context.Context, key string) (driver.Object, bool)
	// InvalidateAll empties the lookup cache, as deletions require that no
	// blobstore.Repository made.
	InvalidateAll()

	// OpenKey reads the object at key from the byte off on. Like a blob's reader it
	// survives broken connections. OutOfRange when off lies beyond the end.
	OpenKey(ctx context.Context, key string, off int64) (io.ReadSeekCloser, error)
	// SignKey signs a URL for a GET or HEAD of the object at key. The URL is "" where
	// redirects are off or nothing can be signed.
	SignKey(ctx context.Context, method, key string) (string, error)
	// Append opens the file at key for writing: anew, or with resume at the end of what was
	// written and not committed. Committed content can't be appended to, except when it has
	// no bytes: Unsupported.
	Append(ctx context.Context, key string, resume bool) (File, error)

	// RunWithLease calls do, unless another process on the bucket holds the lease, or has
	// finished and begun less than every ago. do's context ends when the lease is lost, to
	// another process that took this one for dead.
	//
	// Processes compare their own clocks. With clocks that differ by more than a minute two
	// may run at once, so do must tolerate that. Where the store honours no conditional
	// writes there are no leases, and do is always called.
	RunWithLease(ctx context.Context, name string, every time.Duration, do func(context.Context) error) (LeaseResult, error)
}

// File is an upload to a key of the caller's choice, with no digest to compare. Any replica
// can resume it. It is not safe for concurrent use.
type File interface {
	io.WriteCloser // Close persists what was written
	Size() int64
	// Commit makes what was written the object at the key. A Commit that failed can be
	// repeated.
	Commit(context.Context) error
	// Cancel drops what was written, and the object at the key.
	Cancel(context.Context) error
}

// LeaseResult tells how RunWithLease went.
type LeaseResult struct {
	Ran   bool
	Began time.Time // of the last run by any process; zero when that is not known
}

// Access carries a Store.
type Access struct{ store Store }

// Grant makes an Access to s.
func Grant(s Store) Access { return Access{s} }

func (a Access) friend() Store { return a.store }

// Of returns the Store in s, which is a *blobstore.Store.
func Of(s interface{ friend() Store }) Store { return s.friend() }
