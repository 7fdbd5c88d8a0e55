package verify

import (
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/blobdock/blobdock/driver"
)

// keys are those of uploads that were begun. MinIO lists an upload by its exact key only.
type keys struct {
	mu  sync.Mutex
	all map[string]bool
}

func (k *keys) add(key string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.all == nil {
		k.all = make(map[string]bool)
	}
	k.all[key] = true
}

func (k *keys) list() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Sorted(maps.Keys(k.all))
}

// watch notes the uploads that are begun on b. folder stands before their keys.
func (k *keys) watch(b driver.Bucket, folder string) driver.Bucket {
	return driver.Wrap(b, func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
		if c.Op == driver.OpCreateUpload {
			k.add(folder + c.Key)
		}
		return next(ctx)
	})
}
