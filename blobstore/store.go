package blobstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/distribution/distribution/v3"
	"github.com/distribution/reference"
	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/blobdock/blobdock/blobstore/internal/memory"
	"github.com/blobdock/blobdock/blobstore/internal/upload"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/retry"
	"github.com/blobdock/blobdock/driver/share"
	"github.com/blobdock/blobdock/internal/friend"
	"github.com/blobdock/blobdock/internal/layout"
	"github.com/blobdock/blobdock/internal/tombstone"
	"github.com/blobdock/blobdock/redirect"
)

// Options tune a Store. The zero value of each field is its default.
type Options struct {
	// Root is where the registry lies in the bucket; docker/registry/v2, as distribution
	// has it.
	Root string
	// Secret makes the ids of new uploads authentic, so that beginning one needs no
	// request to the store. Replicas must share it. Without it each upload begins with a
	// request.
	Secret []byte
	// MemoryBudget bounds the bytes of all uploads of the Store; 256 MiB.
	MemoryBudget int64
	// MemoryWait is how long a request waits for memory before it fails with ErrBusy;
	// DefaultMemoryWait. Callers that are no requests wait as long as their contexts let
	// them.
	MemoryWait time.Duration
	// PartSize is the size in bytes of an upload's first pieces, and the largest
	// blob that is stored by a single request; what the driver prefers, else DefaultPartSize.
	PartSize int64
	// Concurrency is how many parts of one upload are sent at the same time; what
	// the driver prefers, else DefaultConcurrency.
	Concurrency int
	// Redirect tells which pulls are sent to signed URLs.
	Redirect redirect.Policy
	// RedirectExpiry is how long such a URL works; redirect.DefaultExpiry. It is
	// handed out for the first half of that.
	RedirectExpiry time.Duration
	// RedirectURLs is how many URLs are kept; redirect.DefaultKept.
	RedirectURLs int
	// Signer makes the URLs, such as those of a CDN; nil is the store itself.
	Signer redirect.Signer
	// OnServed is called with how each GET or HEAD of a blob was answered.
	OnServed func(redirect.Reason)
	// LookupTTL is how long a blob that was found in a repository is taken to be
	// there still; DefaultLookupTTL. An absent blob is always looked up again.
	// A negative value keeps none.
	LookupTTL time.Duration
	// Lookups is how many of them are kept; DefaultLookups.
	Lookups int
	// Descriptors keeps them instead, for as long as it sees fit: a blob that was
	// deleted elsewhere is served until then.
	Descriptors Descriptors
	// CollectionWait is how long garbage collection on the bucket waits at least between finding
	// an object unused and deleting it; an hour. All processes on the bucket must have the same.
	// A push that takes longer than three quarters of it looks again for what it counts on.
	CollectionWait time.Duration
	// DisconnectGrace is how long a request whose client went away may still take
	// to persist what had arrived, and a commit to end; 10 s.
	DisconnectGrace time.Duration
	// Retry is how calls are repeated that failed in passing. Attempts 1 turns it off.
	Retry retry.Policy
	// Log gets what is worth knowing but fails nothing; slog.Default().
	Log *slog.Logger
}

// What Options are where neither they nor the driver say otherwise.
const (
	DefaultPartSize       = 8 << 20
	DefaultConcurrency    = 4
	DefaultCollectionWait = tombstone.DefaultWait
	// DefaultMemoryWait is a minute: clients give up an upload that moves no byte for a
	// few.
	DefaultMemoryWait = time.Minute
)

// contentType is what a blob without a known type has, as in distribution.
const contentType = "application/octet-stream"

// defaults fills in o, asking f what the store prefers.
func (o Options) defaults(f driver.Features) Options {
	set := func(p *int64, vs ...int64) {
		for _, v := range vs {
			if *p == 0 {
				*p = v
			}
		}
	}
	if o.Root == "" {
		o.Root = layout.DefaultRoot
	}
	set(&o.MemoryBudget, 256<<20)
	set(&o.PartSize, f.PartSize, max(DefaultPartSize, f.Parts.MinSize))
	if o.Concurrency == 0 {
		o.Concurrency = f.Concurrency
	}
	if o.Concurrency == 0 {
		o.Concurrency = DefaultConcurrency
	}
	if o.Signer == nil {
		o.Signer, o.Redirect.NoSuffix = f.Sign, f.Sign != nil && !f.SuffixRange
	}
	if o.LookupTTL == 0 {
		o.LookupTTL = DefaultLookupTTL
	}
	if o.Lookups == 0 {
		o.Lookups = DefaultLookups
	}
	if o.CollectionWait == 0 {
		o.CollectionWait = tombstone.DefaultWait
	}
	if o.MemoryWait == 0 {
		o.MemoryWait = DefaultMemoryWait
	}
	if o.DisconnectGrace == 0 {
		o.DisconnectGrace = 10 * time.Second
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	return o
}

// maxPart is the largest part that one upload may buffer: with a quarter of the
// budget, four large uploads still go on at once.
func (o Options) maxPart() int64 { return max(o.PartSize, o.MemoryBudget/4) }

// Store keeps blobs in a bucket. It is safe for concurrent use; one per process
// and bucket is enough, since the memory budget is its own.
type Store struct {
	access
	bucket   driver.Bucket
	features driver.Features
	options  Options
	layout   layout.Layout
	budget   *memory.Budget
	engine   *upload.Engine
	noLegacy atomic.Bool    // a sweep has found nothing that an earlier version left
	urls     *redirect.URLs // nil where nothing can be signed
	watch    *tombstone.Watch
	lookups  lookupCache
	sizes    *lru.Cache[digest.Digest, int64] // of blobs, as manifests tell them
	// cacheEpoch counts deletions: a lookup during which it grows is not cached.
	cacheEpoch atomic.Uint64
}

// New makes a Store on b, which it wraps with retries, and has readers of the same small object at the same
// time share requests. It sends no request.
// Invalid when the options contradict each other or the store's limits.
func New(b driver.Bucket, o Options) (*Store, error) {
	b = share.Wrap(retry.Wrap(b, o.Retry))
	f := b.Features()
	o = o.defaults(f)
	switch {
	case o.Concurrency < 1:
		return nil, fmt.Errorf("concurrency %d: want at least 1: %w", o.Concurrency, driver.Invalid)
	case o.PartSize < f.Parts.MinSize || o.PartSize > f.Parts.MaxSize:
		return nil, fmt.Errorf("part size %s: %s takes %s to %s: %w", driver.FormatBytes(o.PartSize), f.Name,
			driver.FormatBytes(f.Parts.MinSize), driver.FormatBytes(f.Parts.MaxSize), driver.Invalid)
	case o.MemoryBudget < 2*o.PartSize:
		return nil, fmt.Errorf("memory budget %s: want at least two parts of %s: %w",
			driver.FormatBytes(o.MemoryBudget), driver.FormatBytes(o.PartSize), driver.Invalid)
	}
	if err := o.Redirect.Check(); err != nil {
		return nil, err
	}
	if o.Lookups < 1 || o.RedirectURLs < 0 || o.RedirectExpiry < 0 {
		return nil, fmt.Errorf("counts of lookups and URLs, and their expiry, must not be negative: %w", driver.Invalid)
	}
	s := &Store{bucket: b, features: f, options: o, layout: layout.Layout{Root: o.Root}, budget: memory.New(o.MemoryBudget)}
	s.access = friend.Grant(internals{s})
	s.watch = tombstone.NewWatch(b, s.layout, o.CollectionWait, o.Log)
	s.engine = upload.New(b, upload.Options{
		Watch:  s.watch,
		Layout: s.layout, Secret: o.Secret, PartSize: o.PartSize, MaxPart: o.maxPart(), Concurrency: o.Concurrency,
		Budget: s.budget, MemoryWait: o.MemoryWait, Grace: o.DisconnectGrace, Copy: f.CopyPlan(), Retry: o.Retry, Log: o.Log,
	})
	s.lookups = s.newLookupCache()
	s.sizes, _ = lru.New[digest.Digest, int64](o.Lookups) // fails for a size below 1 only
	if o.Signer != nil {
		s.urls = redirect.NewURLs(o.Signer, o.RedirectExpiry, o.RedirectURLs, o.Log)
	}
	return s, nil
}

// Bucket returns the bucket that the Store works on, retries included: what packages check
// and probe look at.
func (s *Store) Bucket() driver.Bucket { return s.bucket }

// Usage is what a Store takes at one moment.
type Usage struct {
	Memory  int64 // bytes that uploads hold
	Cached  int64 // bytes of uploads that are stored already, held while nobody else needs the memory
	Budget  int64 // bytes that they may hold
	Waiting int64 // uploads that wait for memory
	Uploads int64 // uploads that hold memory or wait for it
}

// Usage is what the Store takes at the moment.
func (s *Store) Usage() Usage {
	u := s.budget.Usage()
	return Usage{u.Used, u.Cached, u.Total, u.Waiting, u.Holders}
}

// closeTime bounds the cleanup that Close waits for.
const closeTime = 30 * time.Second

// Close works off what is to be removed in the background, for some seconds at most, and
// closes the bucket.
func (s *Store) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	err := s.engine.Close(ctx)
	s.watch.Close()
	return errors.Join(err, s.bucket.Close())
}

// Repository is the blob store of one repository.
func (s *Store) Repository(name reference.Named) *Repository {
	return &Repository{store: s, name: name.Name()}
}

// Stat describes the blob d, whichever repository it is in. A zero-byte object
// under another digest than that of nothing is what a broken upload left behind:
// it counts as absent, so that a client sends it again.
func (s *Store) Stat(ctx context.Context, d digest.Digest) (v1.Descriptor, error) {
	obj, err := s.statBlob(ctx, d)
	if err != nil {
		return v1.Descriptor{}, err
	}
	return descriptor(d, obj.Size), nil
}

func (s *Store) statBlob(ctx context.Context, d digest.Digest) (driver.Object, error) {
	obj, err := s.bucket.Stat(ctx, s.layout.Blob(d))
	return obj, foundBlob(d, obj, err)
}

// foundBlob is the error of a lookup of the blob d that found obj.
func foundBlob(d digest.Digest, obj driver.Object, err error) error {
	switch {
	case errors.Is(err, driver.NotFound):
		return distribution.ErrBlobUnknown
	case err != nil:
		return fmt.Errorf("blob %s: %w", d, err)
	case obj.Size == 0 && d != d.Algorithm().FromBytes(nil):
		return distribution.ErrBlobUnknown
	}
	return nil
}

// Enumerate calls f with the digest of every blob in the bucket, in order.
func (s *Store) Enumerate(ctx context.Context, f func(digest.Digest) error) error {
	for e, err := range driver.List(ctx, s.bucket, driver.ListRequest{Prefix: s.layout.Blobs()}) {
		if err != nil {
			return fmt.Errorf("blobs: %w", err)
		}
		if name, ok := s.layout.Parse(e.Key); ok {
			if err := f(name.Digest); err != nil {
				return err
			}
		}
	}
	return nil
}

func descriptor(d digest.Digest, size int64) v1.Descriptor {
	return v1.Descriptor{MediaType: contentType, Digest: d, Size: size}
}

// typed is desc with the media type that its writer gave it, if any.
func typed(desc v1.Descriptor, mediaType string) v1.Descriptor {
	if mediaType != "" {
		desc.MediaType = mediaType
	}
	return desc
}

// checkDigest refuses what is no digest, or one of an algorithm that blobs are
// not kept by, in distribution's own errors.
func checkDigest(d digest.Digest) error {
	if alg, _, ok := cutDigest(d); ok && !upload.Supported(alg) {
		return distribution.ErrBlobDigestUnsupported
	}
	if err := d.Validate(); err != nil {
		return distribution.ErrBlobInvalidDigest{Digest: d, Reason: err}
	}
	return nil
}

func cutDigest(d digest.Digest) (digest.Algorithm, string, bool) {
	for i := range len(d) {
		if d[i] == ':' {
			return digest.Algorithm(d[:i]), string(d[i+1:]), true
		}
	}
	return "", "", false
}
