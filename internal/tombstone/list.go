package tombstone

import (
	"context"
	"errors"
	"fmt"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/layout"
)

// Digests lists of which digests there are tombstones, in whatever state.
func Digests(ctx context.Context, b driver.Bucket, l layout.Layout) (map[digest.Digest]bool, error) {
	listed := make(map[digest.Digest]bool)
	for e, err := range driver.List(ctx, b, driver.ListRequest{Prefix: l.AllTombstones()}) {
		if err != nil {
			return nil, fmt.Errorf("tombstones: %w", err)
		}
		if d, ok := l.TombstoneOf(e.Key); ok {
			listed[d] = true
		}
	}
	return listed, nil
}

// ReadAll reads all tombstones below a prefix, limit at a time. Those that are removed meanwhile
// are left out. driver.Corrupt when one is none, or names what no collector deletes.
func ReadAll(ctx context.Context, b driver.Bucket, l layout.Layout, prefix string, limit int) ([]Stored, error) {
	var keys []string
	for e, err := range driver.List(ctx, b, driver.ListRequest{Prefix: prefix}) {
		if err != nil {
			return nil, fmt.Errorf("tombstones: %w", err)
		}
		keys = append(keys, e.Key)
	}
	all := make([]Stored, len(keys))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(limit)
	for i, key := range keys {
		g.Go(func() error {
			s, err := Read(gctx, b, key)
			if errors.Is(err, driver.NotFound) {
				return nil
			}
			if err == nil && !s.sound(l) {
				err = fmt.Errorf("tombstone %q names %q, which garbage collection does not delete by it: %w", key, s.Key, driver.Corrupt)
			}
			all[i] = s
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	there := all[:0]
	for _, s := range all {
		if s.At != "" {
			there = append(there, s)
		}
	}
	return there, nil
}

// sound reports whether the tombstone names a blob, or a link, of the digest that it is filed
// under: what is referred to by others, tags among it, no tombstone can name.
func (s Stored) sound(l layout.Layout) bool {
	d, ok := l.TombstoneOf(s.At)
	if !ok {
		return false
	}
	name, ok := l.Parse(s.Key)
	switch name.Kind {
	case layout.Blob, layout.LayerLink, layout.RevisionLink, layout.TagIndexLink, layout.Referrer, layout.SignatureLink:
		return ok && name.Digest == d
	}
	return false
}
