package blobstore

import (
	"context"
	"time"

	"github.com/distribution/distribution/v3"
	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/layout"
)

const (
	// DefaultLookupTTL bounds how long a blob is served after another process
	// deleted it.
	DefaultLookupTTL = time.Minute
	// DefaultLookups take about 5 MiB.
	DefaultLookups = 10_000
)

// Descriptors caches lookups. Distribution's cache providers, in memory and in Redis,
// implement it.
type Descriptors interface {
	RepositoryScoped(repository string) (distribution.BlobDescriptorService, error)
}

// lookupCache caches blobs that were found in repositories, so that many pulls of one
// image look it up once. It never caches that a blob was not found. A cache that fails
// behaves like an empty one.
type lookupCache interface {
	get(ctx context.Context, repository string, d digest.Digest) *Blob
	put(ctx context.Context, b *Blob)
	drop(ctx context.Context, repository string, d digest.Digest)
	dropAll()
}

// globalScope stands for all repositories: the blobs that the bucket has.
const globalScope = ""

func (s internals) CachedLink(ctx context.Context, key string) (digest.Digest, bool) {
	name, ok := s.layout.Parse(key)
	if !ok || name.Kind != layout.LayerLink {
		return "", false
	}
	b := s.lookups.get(ctx, name.Repo, name.Digest)
	if b == nil {
		return "", false
	}
	return b.target, true
}

func (s internals) CachedBlob(ctx context.Context, key string) (driver.Object, bool) {
	name, ok := s.layout.Parse(key)
	if !ok || name.Kind != layout.Blob {
		return driver.Object{}, false
	}
	b := s.lookups.get(ctx, globalScope, name.Digest)
	if b == nil || b.object.ModTime.IsZero() {
		return driver.Object{}, false
	}
	return b.object, true
}

func (s internals) InvalidateAll() {
	s.cacheEpoch.Add(1)
	s.lookups.dropAll()
}

func (s *Store) newLookupCache() lookupCache {
	o := s.options
	switch {
	case o.Descriptors != nil:
		return &externalCache{s, o.Descriptors}
	case o.LookupTTL < 0:
		return noCache{}
	}
	kept, _ := lru.New[cacheKey, cachedBlob](o.Lookups) // fails for a size below 1 only
	return &lruCache{o.LookupTTL, kept}
}

// noCache keeps nothing.
type noCache struct{}

func (noCache) get(context.Context, string, digest.Digest) *Blob { return nil }
func (noCache) put(context.Context, *Blob)                       {}
func (noCache) drop(context.Context, string, digest.Digest)      {}
func (noCache) dropAll()                                         {}

// lruCache keeps lookups in this process, each for ttl.
type lruCache struct {
	ttl  time.Duration
	kept *lru.Cache[cacheKey, cachedBlob]
}

type cacheKey struct {
	repository string
	digest     digest.Digest
}

type cachedBlob struct {
	*Blob
	at time.Time
}

func (f *lruCache) get(_ context.Context, repository string, d digest.Digest) *Blob {
	b, ok := f.kept.Get(cacheKey{repository, d})
	if !ok || time.Since(b.at) > f.ttl {
		return nil
	}
	return b.Blob
}

func (f *lruCache) put(_ context.Context, b *Blob) {
	// An object at a digest's key has the same bytes in every version, but not the
	// same ETag: it may be deleted and pushed again while this is kept.
	kept := *b
	kept.object.ETag = ""
	now := time.Now()
	f.kept.Add(cacheKey{b.repository, b.digest}, cachedBlob{&kept, now})
	if !b.assumed {
		f.kept.Add(cacheKey{globalScope, b.target}, cachedBlob{&kept, now})
	}
}

func (f *lruCache) drop(_ context.Context, repository string, d digest.Digest) {
	f.kept.Remove(cacheKey{repository, d})
	f.kept.Remove(cacheKey{globalScope, d})
}

func (f *lruCache) dropAll() { f.kept.Purge() }

// externalCache keeps lookups in a service of distribution's.
type externalCache struct {
	store    *Store
	provider Descriptors
}

func (f *externalCache) get(ctx context.Context, repository string, d digest.Digest) *Blob {
	if repository == globalScope {
		return nil
	}
	service, err := f.provider.RepositoryScoped(repository)
	if err != nil {
		return nil
	}
	desc, err := service.Stat(ctx, d)
	if err != nil {
		return nil
	}
	object := driver.Object{Key: f.store.layout.Blob(desc.Digest), Size: desc.Size}
	return &Blob{store: f.store, repository: repository, digest: d, target: desc.Digest, object: object}
}

// dropAll does nothing: distribution's services can't be emptied.
func (f *externalCache) dropAll() {}

func (f *externalCache) put(ctx context.Context, b *Blob) {
	if b.assumed || b.object.ContentEncoding != "" {
		return // a descriptor has no room for either, and they decide how the blob is served
	}
	f.change(ctx, b.repository, func(s distribution.BlobDescriptorService) error {
		return s.SetDescriptor(ctx, b.digest, v1.Descriptor{MediaType: contentType, Digest: b.target, Size: b.object.Size})
	})
}

func (f *externalCache) drop(ctx context.Context, repository string, d digest.Digest) {
	f.change(ctx, repository, func(s distribution.BlobDescriptorService) error { return s.Clear(ctx, d) })
}

func (f *externalCache) change(ctx context.Context, repository string, do func(distribution.BlobDescriptorService) error) {
	service, err := f.provider.RepositoryScoped(repository)
	if err == nil {
		err = do(service)
	}
	if err != nil && err != distribution.ErrBlobUnknown && ctx.Err() == nil { //nolint:errorlint // as distribution does
		f.store.options.Log.WarnContext(ctx, "lookups are not kept", "repository", repository, "cause", err)
	}
}
