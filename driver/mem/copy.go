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
	from, err := b.full(ctx, r.Src.Key)
	if err != nil {
		return driver.Object{}, fmt.Errorf("source: %w", err)
	}
	to, err := b.full(ctx, r.Dst)
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
		if from == to { // as S3 has it
			return driver.Object{}, fmt.Errorf("copy of an object to itself that changes nothing: %w", driver.Invalid)
		}
		o.ContentType, o.Metadata = src.ContentType, src.Metadata
	}
	return b.out(b.store.set(to, src.data, o)), nil
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
