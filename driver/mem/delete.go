package mem

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/blobdock/blobdock/driver"
)

// Delete removes the object at key, if there is one.
func (b *Bucket) Delete(ctx context.Context, key string, o driver.DeleteOptions) error {
	full, err := b.full(ctx, key)
	if err == nil {
		err = b.remove(full, o)
	}
	if err != nil {
		return fail(driver.OpDelete, key, err)
	}
	return nil
}

func (b *Bucket) remove(full string, o driver.DeleteOptions) error {
	b.store.mu.Lock()
	defer b.store.mu.Unlock()
	if err := b.Features().Conds.CheckDelete(o, time.Now()); err != nil {
		return err
	}
	return b.store.delete(full, o.IfVersion)
}

// delete removes the object at key if it is of the version; "" is any. The caller
// holds mu.
func (s *store) delete(key, version string) error {
	cur, there := s.objects[key]
	if !there {
		return nil
	}
	if have := cmp.Or(cur.Version, cur.ETag); version != "" && have != version {
		return fmt.Errorf("want version %s, have %s: %w", version, have, driver.Mismatch)
	}
	if err := s.checkInterval(key); err != nil {
		return err
	}
	s.remove(key)
	s.wrote(key)
	return nil
}

func (b *Bucket) deleteBatch(ctx context.Context, refs []driver.ObjectRef) error {
	if len(refs) == 0 {
		return nil
	}
	if err := b.Features().CheckBatch(refs); err != nil {
		return fail(driver.OpDeleteBatch, refs[0].Key, err)
	}
	fulls := make([]string, len(refs))
	for i, r := range refs {
		full, err := b.full(ctx, r.Key)
		if err != nil {
			return fail(driver.OpDeleteBatch, r.Key, err)
		}
		fulls[i] = full
	}
	b.store.mu.Lock()
	defer b.store.mu.Unlock()
	var first error
	for i, r := range refs {
		if err := b.store.delete(fulls[i], r.Version); err != nil && first == nil {
			first = fail(driver.OpDeleteBatch, r.Key, err)
		}
	}
	return first
}
