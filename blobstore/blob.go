package blobstore

import (
	"context"
	"fmt"
	"io"

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
}

// Descriptor describes the blob.
func (b *Blob) Descriptor() v1.Descriptor { return descriptor(b.digest, b.object.Size) }

// Key is where the store has the blob.
func (b *Blob) Key() string { return b.object.Key }

func (b *Blob) open(ctx context.Context) *reader {
	r := b.store.openObject(ctx, b.object)
	r.gone = func() { b.store.found.drop(ctx, b.repository, b.digest) }
	return r
}

// content reads the whole blob and compares its digest.
func (b *Blob) content(ctx context.Context) ([]byte, error) {
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
