package pulls

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"golang.org/x/sync/errgroup"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/layout"
)

const (
	parallel = 16
	// maxRecord bounds in bytes what one object's content is, unpacked.
	maxRecord = 1 << 30
)

// Read reads what all registries have recorded.
func Read(ctx context.Context, b driver.Bucket, l layout.Layout) (Record, error) {
	rec, _, err := read(ctx, b, l)
	return rec, err
}

func read(ctx context.Context, b driver.Bucket, l layout.Layout) (rec Record, refs []driver.ObjectRef, err error) {
	for e, err := range driver.List(ctx, b, driver.ListRequest{Prefix: l.Pulls()}) {
		if err != nil {
			return Record{}, nil, fmt.Errorf("pulls: %w", err)
		}
		refs = append(refs, driver.ObjectRef{Key: e.Key})
	}
	all := make([]Record, len(refs))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(parallel)
	for i, ref := range refs {
		g.Go(func() (err error) {
			all[i], err = readOne(gctx, b, ref.Key)
			if errors.Is(err, driver.NotFound) { // compacted since it was listed: by one that is listed, or not
				return fmt.Errorf("pulls: they change: %w", driver.Unavailable)
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return Record{}, nil, err
	}
	rec = empty()
	now := b.Features().Time()
	for _, other := range all {
		rec.add(other, now)
	}
	return rec, refs, nil
}

func readOne(ctx context.Context, b driver.Bucket, key string) (rec Record, err error) {
	r, err := b.Open(ctx, key, driver.Range{}, driver.ReadOptions{})
	if err != nil {
		return rec, fmt.Errorf("pulls: %w", err)
	}
	defer r.Close()
	z, err := gzip.NewReader(r)
	if err == nil {
		err = json.NewDecoder(io.LimitReader(z, maxRecord)).Decode(&rec)
	}
	if err != nil {
		return rec, fmt.Errorf("pulls %q: %w: %w", key, driver.Corrupt, err)
	}
	return rec, nil
}

// compactAt is how many objects there are before Compact makes one of them.
const compactAt = 32

// Compact makes one object of many. Several may do so at once: what they write says the same, and
// each deletes only what it has read.
func Compact(ctx context.Context, b driver.Bucket, l layout.Layout) error {
	rec, refs, err := read(ctx, b, l)
	if err != nil || len(refs) < compactAt {
		return err
	}
	if err := write(ctx, b, l, rec); err != nil {
		return err
	}
	return driver.DeleteAll(ctx, b, refs)
}
