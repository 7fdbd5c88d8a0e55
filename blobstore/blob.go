package blobstore

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/blobdock/blobdock/driver"
)

// Blob is a blob that a repository has, as Lookup found it.
type Blob struct {
	store      *Store
	repository string
	digest     digest.Digest // what was asked for
	target     digest.Digest // what the link says; in old buckets not always the same
	object     driver.Object
	// since is when tombstones were listed that were known when the blob was found; zero where
	// none were.
	since time.Time
	// assumed is that nobody has looked for the object: the link says that it is there, and a
	// manifest its size.
	assumed bool
	// content is all of it, where it was read along; nil where it is yet to be read.
	content []byte
}

// Descriptor describes the blob.
func (b *Blob) Descriptor() v1.Descriptor { return descriptor(b.digest, b.object.Size) }

// Canonical is the digest that the store has the blob under. It differs from the descriptor's for a
// blob that was found by an alias.
func (b *Blob) Canonical() digest.Digest { return b.target }

// Key is where the store has the blob.
func (b *Blob) Key() string { return b.object.Key }

// Size is how many bytes the blob has.
func (b *Blob) Size() int64 { return b.object.Size }

// ModTime is when the content was stored, by the store's clock. It is the zero time where
// the blob was found by [Options.Descriptors], which don't tell.
func (b *Blob) ModTime() time.Time { return b.object.ModTime }

// Open returns a reader of the blob. It sends no request before it is read, fetches from
// wherever it is read, and survives broken connections. ctx bounds its whole life. It is an
// io.ReaderAt as well, whose calls may run at the same time.
//
// A blob that was deleted since it was found reads as driver.NotFound, one that was
// replaced as driver.Mismatch.
func (b *Blob) Open(ctx context.Context) io.ReadSeekCloser { return b.open(ctx) }

// Get returns the whole content, having compared its digest: driver.Corrupt where it
// differs.
func (b *Blob) Get(ctx context.Context) ([]byte, error) {
	r := b.open(ctx)
	defer r.Close()
	p := make([]byte, b.object.Size)
	if _, err := io.ReadFull(r, p); err != nil {
		return nil, fmt.Errorf("blob %s: %w", b.digest, err)
	}
	if got := b.target.Algorithm().FromBytes(p); got != b.target {
		return nil, fmt.Errorf("blob %s has the content of %s: %w", b.target, got, driver.Corrupt)
	}
	return p, nil
}

func (b *Blob) open(ctx context.Context) *reader {
	r := b.store.openObject(ctx, b.object)
	r.content = b.content
	r.gone = func() { b.store.lookups.drop(ctx, b.repository, b.digest) }
	return r
}
