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

// Descriptors keeps what was found in repositories. Distribution's cache
// providers, in memory and in Redis, are such.
type Descriptors interface {
	RepositoryScoped(repository string) (distribution.BlobDescriptorService, error)
}

// found keeps blobs that were found in repositories, so that many pulls of one
// image look it up once. It never keeps that something was not found. A keeper
// that fails is like an empty one.
type found interface {
	get(ctx context.Context, repository string, d digest.Digest) *Blob
	put(ctx context.Context, b *Blob)
	drop(ctx context.Context, repository string, d digest.Digest)
	dropAll()
}

// anywhere is in the place of a repository for what the bucket has.
const anywhere = ""

func (s internals) CachedLink(ctx context.Context, key string) (digest.Digest, bool) {
	name, ok := s.layout.Parse(key)
	if !ok || name.Kind != layout.LayerLink {
		return "", false
	}
	b := s.found.get(ctx, name.Repo, name.Digest)
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
	b := s.found.get(ctx, anywhere, name.Digest)
	if b == nil || b.object.ModTime.IsZero() {
		return driver.Object{}, false
	}
	return b.object, true
}

func (s internals) InvalidateAll() {
	s.forgotten.Add(1)
	s.found.dropAll()
}

func (s *Store) newFound() found {
	o := s.options
	switch {
	case o.Descriptors != nil:
		return &elsewhere{s, o.Descriptors}
	case o.LookupTTL < 0:
		return nowhere{}
	}
	kept, _ := lru.New[place, foundBlob](o.Lookups) // fails for a size below 1 only
	return &inMemory{o.LookupTTL, kept}
}

// nowhere keeps nothing.
type nowhere struct{}

func (nowhere) get(context.Context, string, digest.Digest) *Blob { return nil }
func (nowhere) put(context.Context, *Blob)                       {}
func (nowhere) drop(context.Context, string, digest.Digest)      {}
func (nowhere) dropAll()                                         {}

// inMemory keeps lookups in this process, for a time.
type inMemory struct {
	ttl  time.Duration
	kept *lru.Cache[place, foundBlob]
}

type place struct {
	repository string
	digest     digest.Digest
}

type foundBlob struct {
	*Blob
	at time.Time
}

func (f *inMemory) get(_ context.Context, repository string, d digest.Digest) *Blob {
	b, ok := f.kept.Get(place{repository, d})
	if !ok || time.Since(b.at) > f.ttl {
		return nil
	}
	return b.Blob
}

func (f *inMemory) put(_ context.Context, b *Blob) {
	// An object at a digest's key has the same bytes in every version, but not the
	// same ETag: it may be deleted and pushed again while this is kept.
	kept := *b
	kept.object.ETag = ""
	now := time.Now()
	f.kept.Add(place{b.repository, b.digest}, foundBlob{&kept, now})
	f.kept.Add(place{anywhere, b.target}, foundBlob{&kept, now})
}

func (f *inMemory) drop(_ context.Context, repository string, d digest.Digest) {
	f.kept.Remove(place{repository, d})
	f.kept.Remove(place{anywhere, d})
}

func (f *inMemory) dropAll() { f.kept.Purge() }

// elsewhere keeps lookups in a service of distribution's.
type elsewhere struct {
	store    *Store
	provider Descriptors
}

func (f *elsewhere) get(ctx context.Context, repository string, d digest.Digest) *Blob {
	if repository == anywhere {
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

// dropAll can't be done there: it is for the service to say how long it keeps.
func (f *elsewhere) dropAll() {}

func (f *elsewhere) put(ctx context.Context, b *Blob) {
	f.change(ctx, b.repository, func(s distribution.BlobDescriptorService) error {
		return s.SetDescriptor(ctx, b.digest, v1.Descriptor{MediaType: contentType, Digest: b.target, Size: b.object.Size})
	})
}

func (f *elsewhere) drop(ctx context.Context, repository string, d digest.Digest) {
	f.change(ctx, repository, func(s distribution.BlobDescriptorService) error { return s.Clear(ctx, d) })
}

func (f *elsewhere) change(ctx context.Context, repository string, do func(distribution.BlobDescriptorService) error) {
	service, err := f.provider.RepositoryScoped(repository)
	if err == nil {
		err = do(service)
	}
	if err != nil && err != distribution.ErrBlobUnknown && ctx.Err() == nil { //nolint:errorlint // as distribution does
		f.store.options.Log.WarnContext(ctx, "lookups are not kept", "repository", repository, "cause", err)
	}
}
