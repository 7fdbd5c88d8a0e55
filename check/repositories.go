package check

import (
	"context"
	"fmt"
	"sync"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/layout"
	"github.com/blobdock/blobdock/internal/survey"
)

// atOnce is how many repositories are held in memory. They share the requests.
const atOnce = 16

// repositories checks all repositories, some at a time, while it lists them.
func (r *run) repositories(ctx context.Context) error {
	var mu sync.Mutex
	seen := make(map[string]bool) // of the repositories asked for
	err := survey.Walk(ctx, r.layout, r.keys(ctx), min(atOnce, r.options.Concurrency), r.unknown, func(ctx context.Context, name string, keys []survey.Key) error {
		if r.partly() {
			mu.Lock()
			seen[name] = true
			mu.Unlock()
		}
		p := r.newRepository(name)
		for _, k := range keys {
			p.add(k.Name, k.Object)
		}
		return p.check(ctx)
	})
	if err != nil {
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
