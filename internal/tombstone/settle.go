package tombstone

import (
	"context"
	"fmt"
	"time"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"
)

// Settle is for who is about to refer to many objects without reading the tombstones of each, as
// copies do: of the digests that concerns selects, it rescues all that is condemned, and waits for
// what is being deleted. It returns the time before its list. What is looked for and referred to
// from then on stays, if that time has not [Watch.Expired] when the last reference is acknowledged.
// Otherwise all has to be looked for again.
func (w *Watch) Settle(ctx context.Context, concerns func(context.Context, digest.Digest) (bool, error)) (time.Time, error) {
	look, err := w.Anew(ctx)
	if err != nil {
		return time.Time{}, err
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(parallel)
	for d := range look.list.digests {
		g.Go(func() error {
			ok, err := concerns(gctx, d)
			if err == nil && ok {
				_, err = w.Clear(gctx, d)
			}
			if err != nil {
				return fmt.Errorf("tombstones of %s: %w", d, err)
			}
			return nil
		})
	}
	return look.T0(), g.Wait()
}
