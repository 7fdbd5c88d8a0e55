package mem

import (
	"cmp"
	"context"
	"fmt"

	"github.com/blobdock/blobdock/driver"
)

func (b *Bucket) concat(ctx context.Context, r driver.ConcatRequest) (driver.Object, error) {
	obj, err := b.join(ctx, r)
	if err != nil {
		return driver.Object{}, fail(driver.OpConcat, r.Key, err)
	}
	return obj, nil
}

func (b *Bucket) join(ctx context.Context, r driver.ConcatRequest) (driver.Object, error) {
	to, err := b.full(ctx, r.Key)
	if err = cmp.Or(err, r.Check(b.limits), b.allows(r.Options.Cond)); err != nil {
		return driver.Object{}, err
	}
	b.store.mu.Lock()
	defer b.store.mu.Unlock()
	data := make([]content, len(r.Sources))
	keys := make([]string, len(r.Sources))
	for i, s := range r.Sources {
		if keys[i], err = b.full(ctx, s.Key); err != nil {
			return driver.Object{}, fmt.Errorf("source: %w", err)
		}
		src, err := b.store.source(driver.Source{Key: s.Key, ETag: s.ETag}, keys[i])
		if err != nil {
			return driver.Object{}, err
		}
		if s.Version != "" && s.Version != src.Version || s.Size != src.Size {
			return driver.Object{}, fmt.Errorf("source %q changed: %w", s.Key, driver.Mismatch)
		}
		data[i] = src.data
	}
	if err := b.store.check(to, r.Options.Cond); err != nil {
		return driver.Object{}, err
	}
	whole := concat(data)
	if r.CRC32C != nil && b.Features().StatChecksums != nil && whole.crc32c() != *r.CRC32C {
		return driver.Object{}, fmt.Errorf("the sources have the CRC-32C %08x, want %08x: %w", whole.crc32c(), *r.CRC32C, driver.Corrupt)
	}
	obj := b.store.set(to, whole, r.Options)
	if r.DeleteSources {
		for _, key := range keys {
			if key != to {
				b.store.remove(key)
			}
		}
	}
	return b.out(obj), nil
}
