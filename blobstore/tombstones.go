package blobstore

import (
	"context"
	"fmt"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/tombstone"
)

// guarded has do put the blob d and link it into the repository, and returns what was known of
// tombstones before: do begins when nothing of that is being deleted.
func (r *Repository) guarded(ctx context.Context, d digest.Digest, do func(tombstone.Sight) error) (tombstone.Sight, error) {
	sight, err := r.store.watch.Clear(ctx, d)
	if err != nil {
		return sight, fmt.Errorf("blob %s: %w", d, err)
	}
	if err := do(sight); err != nil {
		return sight, err
	}
	return r.confirm(ctx, d, sight)
}

// confirm returns sight, or a newer one where it is too old to promise that the blob d stays.
func (r *Repository) confirm(ctx context.Context, d digest.Digest, sight tombstone.Sight) (tombstone.Sight, error) {
	if !r.store.watch.Stale(sight.T0) {
		return sight, nil
	}
	// An old blob may have been deleted meanwhile.
	b, err := r.lookupPromised(ctx, d)
	if err != nil {
		return sight, fmt.Errorf("blob %s has taken long, and is looked for again: %w: %w", d, driver.Unavailable, err)
	}
	return tombstone.Sight{T0: b.since}, nil
}

// lookupPromised is Lookup for who is told that the blob is there, and will not send it: it asks
// the store, and has what is condemned stay.
func (r *Repository) lookupPromised(ctx context.Context, d digest.Digest) (*Blob, error) {
	const rounds = 3
	for range rounds {
		sight, err := r.store.watch.Read(ctx, d)
		if err != nil {
			return nil, fmt.Errorf("blob %s: %w", d, err)
		}
		b, err := r.lookupSince(ctx, d, sight, r.store.statBlob)
		if err != nil || !r.store.watch.Stale(sight.T0) {
			return b, err
		}
	}
	return nil, fmt.Errorf("blob %s: looking for it takes too long: %w", d, driver.Unavailable)
}

func (s internals) Watch() *tombstone.Watch { return s.watch }

func (s internals) LookupSince(ctx context.Context, repo string, d digest.Digest, sight tombstone.Sight) error {
	_, err := (&Repository{s.Store, repo}).lookupSince(ctx, d, sight, s.statBlob)
	return err
}

func (s internals) Sighted(ctx context.Context, repo string, d digest.Digest) (since time.Time, err error) {
	if b := s.lookups.get(ctx, repo, d); b != nil && !b.assumed && !s.watch.Expired(b.since) {
		return b.since, nil
	}
	b, err := (&Repository{s.Store, repo}).lookupUncached(ctx, d, s.statBlob)
	if err != nil {
		return time.Time{}, err
	}
	return b.since, nil
}
