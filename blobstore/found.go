package blobstore

import (
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/opencontainers/go-digest"
)

const (
	// DefaultLookupTTL bounds how long a blob is served after another process
	// deleted it.
	DefaultLookupTTL = time.Minute
	// DefaultLookups take about 5 MiB.
	DefaultLookups = 10_000
)

// found keeps blobs that were found in repositories, so that many pulls of one
// image look it up once. It never keeps that something was not found.
type found struct {
	ttl  time.Duration
	kept *lru.Cache[place, foundBlob] // nil when nothing is kept
}

type place struct {
	repository string
	digest     digest.Digest
}

type foundBlob struct {
	*Blob
	at time.Time
}

func newFound(ttl time.Duration, size int) *found {
	if ttl < 0 {
		return &found{}
	}
	if ttl == 0 {
		ttl = DefaultLookupTTL
	}
	if size == 0 {
		size = DefaultLookups
	}
	kept, _ := lru.New[place, foundBlob](size) // fails for a size below 1 only
	return &found{ttl, kept}
}

func (f *found) get(repository string, d digest.Digest) *Blob {
	if f.kept == nil {
		return nil
	}
	b, ok := f.kept.Get(place{repository, d})
	if !ok || time.Since(b.at) > f.ttl {
		return nil
	}
	return b.Blob
}

func (f *found) put(b *Blob) {
	if f.kept == nil {
		return
	}
	// An object at a digest's key has the same bytes in every version, but not the
	// same ETag: it may be deleted and pushed again while this is kept.
	kept := *b
	kept.object.ETag = ""
	f.kept.Add(place{b.repository, b.digest}, foundBlob{&kept, time.Now()})
}

func (f *found) drop(repository string, d digest.Digest) {
	if f.kept != nil {
		f.kept.Remove(place{repository, d})
	}
}
