package simulation_test

import (
	"context"
	"io"
	"time"

	"github.com/blobdock/blobdock/driver"
)

// clocked is a bucket whose store has another time than the machines, if the seed has that, and at some
// moment still another one. It says so, as stores do in each reply.
func (s *sim) clocked(b driver.Bucket) driver.Bucket {
	if !s.jumps {
		return b
	}
	hours := func() time.Duration { return time.Duration((s.rand.Float64() - 0.5) * 4 * float64(time.Hour)) }
	return &skewed{b, hours(), hours(), time.Now().Add(time.Duration(s.rand.Float64() * float64(12*time.Hour)))}
}

type skewed struct {
	driver.Bucket
	before, after time.Duration // ahead of the machines
	jump          time.Time
}

func (b *skewed) ahead(t time.Time) time.Duration {
	if t.Before(b.jump) {
		return b.before
	}
	return b.after
}

func (b *skewed) object(o driver.Object) driver.Object {
	o.ModTime = o.ModTime.Add(b.ahead(o.ModTime))
	return o
}

func (b *skewed) Features() driver.Features {
	f := b.Bucket.Features()
	f.Now = func() time.Time { return time.Now().Add(b.ahead(time.Now())) }
	return f
}

func (b *skewed) Stat(ctx context.Context, key string) (driver.Object, error) {
	o, err := b.Bucket.Stat(ctx, key)
	return b.object(o), err
}

func (b *skewed) Put(ctx context.Context, key string, body *io.SectionReader, o driver.WriteOptions) (driver.Object, error) {
	obj, err := b.Bucket.Put(ctx, key, body, o)
	return b.object(obj), err
}

func (b *skewed) ListPage(ctx context.Context, q driver.ListRequest) (driver.Page[driver.Entry], error) {
	page, err := b.Bucket.ListPage(ctx, q)
	for i, e := range page.Items {
		page.Items[i].Object = b.object(e.Object)
	}
	return page, err
}

func (b *skewed) Delete(ctx context.Context, key string, o driver.DeleteOptions) error {
	if !o.NotAfter.IsZero() {
		o.NotAfter = o.NotAfter.Add(-b.ahead(time.Now()))
	}
	return b.Bucket.Delete(ctx, key, o)
}
