// Package survey reads what the repositories of a registry have, for those that look at all of it:
// garbage collection, its accounts, and checks.
package survey

import (
	"context"
	"iter"

	"golang.org/x/sync/errgroup"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/layout"
)

// Key is an object, and what its key says.
type Key struct {
	layout.Name
	Object driver.Object
}

// Walk groups a listing of repositories by their names, and calls visit with all that one
// repository has, for up to atOnce repositories at the same time. strange is called with what has
// no place in the layout, by one caller at a time. The first error ends the walk.
func Walk(ctx context.Context, l layout.Layout, listing iter.Seq2[driver.Entry, error], atOnce int,
	strange func(context.Context, driver.Object) error, visit func(ctx context.Context, name string, keys []Key) error,
) error {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(atOnce)
	var keys []Key
	end := func() {
		if len(keys) > 0 {
			all := keys
			keys = nil
			g.Go(func() error { return visit(gctx, all[0].Repo, all) })
		}
	}
	// No component of a name begins with "_", and what a repository has does: its keys come one
	// after the other.
	for e, err := range listing {
		if err == nil && gctx.Err() != nil {
			err = gctx.Err() // another's failure, which Wait returns
		}
		name, ok := l.Parse(e.Key)
		if err == nil && !ok {
			err = strange(gctx, e.Object)
		}
		if err != nil {
			g.Go(func() error { return err })
			break
		}
		if !ok {
			continue
		}
		if len(keys) > 0 && keys[0].Repo != name.Repo {
			end()
		}
		keys = append(keys, Key{name, e.Object})
	}
	end()
	return g.Wait()
}
