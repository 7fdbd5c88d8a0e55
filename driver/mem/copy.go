package mem

import (
	"cmp"
	"context"
	"fmt"

	"github.com/blobdock/blobdock/driver"
)

func (b *Bucket) copyObject(ctx context.Context, r driver.CopyRequest) (driver.Object, error) {
	obj, err := b.copyTo(ctx, r)
	if err != nil {
		return driver.Object{}, fail(driver.OpCopy, r.Dst, err)
	}
	return obj, nil
}

func (b *Bucket) copyTo(ctx context.Context, r driver.CopyRequest) (driver.Object, error) {
	from, to, err := b.ends(ctx, r.Src, r.Dst)
	if err = cmp.Or(err, r.Check(), b.allows(r.Options.Cond)); err != nil {
		return driver.Object{}, err
	}
	b.store.mu.Lock()
	defer b.store.mu.Unlock()
	src, err := b.store.source(r.Src, from)
	if err = cmp.Or(err, b.store.check(to, r.Options.Cond)); err != nil {
		return driver.Object{}, err
	}
	if limit := b.options.CopyMax; limit > 0 && src.Size > limit {
		return driver.Object{}, fmt.Errorf("source has %d bytes, at most %d can be copied: %w", src.Size, limit, driver.Invalid)
	}
	o := r.Options
	if o.ContentType == "" && o.Metadata == nil {
		o.ContentType, o.Metadata = src.ContentType, src.Metadata
	}
	return b.out(b.store.set(to, src.data, o)), nil
}

// ends are the full keys of a copy's source and destination.
func (b *Bucket) ends(ctx context.Context, src driver.Source, dst string) (from, to string, err error) {
	if src.Range != (driver.Range{}) {
		return "", "", fmt.Errorf("source %q: only a part copy takes a range: %w", src.Key, driver.Invalid)
	}
	if from, err = b.full(ctx, src.Key); err != nil {
		return "", "", fmt.Errorf("source: %w", err)
	}
	to, err = b.full(ctx, dst)
	return from, to, err
}

func (b *Bucket) copyPart(ctx context.Context, u driver.Upload, n int, src driver.Source) (driver.Part, error) {
	p, err := b.fillPart(ctx, u, n, src)
	if err != nil {
		return driver.Part{}, fail(driver.OpCopyPart, u.Key, err)
	}
	return p, nil
}

func (b *Bucket) fillPart(ctx context.Context, u driver.Upload, n int, s driver.Source) (driver.Part, error) {
	to, err := b.full(ctx, u.Key)
	from, fromErr := b.full(ctx, s.Key)
	if err = cmp.Or(err, fromErr); err != nil {
		return driver.Part{}, err
	}
	b.store.mu.Lock()
	defer b.store.mu.Unlock()
	src, err := b.store.source(s, from)
	if err != nil {
		return driver.Part{}, err
	}
	if err = cmp.Or(s.Range.Within(src.Size), b.limits.CheckPart(n, s.Range.Len)); err != nil {
		return driver.Part{}, err
	}
	return b.store.setPart(to, u.ID, n, src.data.slice(s.Range))
}

func (b *Bucket) rename(ctx context.Context, src driver.Source, dst string, c driver.Cond) (driver.Object, error) {
	obj, err := b.move(ctx, src, dst, c)
	if err != nil {
		return driver.Object{}, fail(driver.OpRename, dst, err)
	}
	return obj, nil
}

func (b *Bucket) move(ctx context.Context, s driver.Source, dst string, c driver.Cond) (driver.Object, error) {
	from, to, err := b.ends(ctx, s, dst)
	if err = cmp.Or(err, b.allows(c)); err != nil {
		return driver.Object{}, err
	}
	if from == to {
		return driver.Object{}, fmt.Errorf("source and destination are the same: %w", driver.Invalid)
	}
	b.store.mu.Lock()
	defer b.store.mu.Unlock()
	src, err := b.store.source(s, from)
	if err = cmp.Or(err, b.store.check(to, c)); err != nil {
		return driver.Object{}, err
	}
	obj := b.store.set(to, src.data, driver.WriteOptions{ContentType: src.ContentType, Metadata: src.Metadata})
	b.store.remove(from)
	return b.out(obj), nil
}
