package check

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/layout"
)

// atOnce is how many repositories are held in memory. They share the requests.
const atOnce = 16

// repositories checks all repositories, some at a time, while it lists them. All
// keys of one come one after the other.
func (r *run) repositories(ctx context.Context) error {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(min(atOnce, r.options.Concurrency))
	seen := make(map[string]bool) // of the repositories asked for
	var at *repository
	end := func() {
		if at == nil {
			return
		}
		p := at
		at = nil
		if r.partly() {
			seen[p.name] = true
		}
		g.Go(func() error { return p.check(gctx) })
	}
	for e, err := range r.keys(gctx) {
		if err != nil {
			// Where another's failure ended gctx, that is what Wait returns.
			g.Go(func() error { return err })
			break
		}
		name, ok := r.layout.Parse(e.Key)
		if !ok {
			if err := r.unknown(gctx, e.Object); err != nil {
				g.Go(func() error { return err })
				break
			}
			continue
		}
		if at == nil || at.name != name.Repo {
			end()
			at = r.newRepository(name.Repo)
		}
		at.add(name, e.Object)
	}
	end()
	if err := g.Wait(); err != nil {
		return err
	}
	for _, name := range r.options.Repositories {
		if !seen[name] {
			return fmt.Errorf("repository %s: %w", name, driver.NotFound)
		}
	}
	return nil
}

// unknown tells of a key that has no place in the layout.
func (r *run) unknown(ctx context.Context, o driver.Object) error {
	if layout.IsHidden(o.Key) || r.young(o.ModTime) {
		return nil
	}
	return r.found(ctx, Finding{Kind: KeyUnknown, Key: o.Key}, nil)
}
