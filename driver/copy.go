package driver

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
)

// cleanupTimeout bounds what is tidied up after the caller's context has ended.
const cleanupTimeout = 30 * time.Second

// CopyPlan tunes Copy.
type CopyPlan struct {
	PartSize    int64 // bytes a part copy moves at once, at least Parts.MinSize
	Concurrency int   // part copies under way at the same time
}

// Copy copies an object of a known size by the server: in one request where the
// store takes it, else by part copies in parallel. An upload in parts that fails
// is aborted. Unsupported when the store offers neither way, or can't honour
// o.Cond on the way that is taken.
func Copy(ctx context.Context, b Bucket, src Source, size int64, dst string, o WriteOptions, p CopyPlan) (Object, error) {
	f := b.Features()
	if f.Copy != nil && (f.CopyMax == 0 || size <= f.CopyMax) {
		if !f.Conds.Copy.Allows(o.Cond) {
			return Object{}, Fail(OpCopy, dst, fmt.Errorf("%s can't copy under a condition: %w", f.Name, Unsupported))
		}
		return f.Copy(ctx, CopyRequest{Src: src, Dst: dst, Options: o})
	}
	if f.CopyPart == nil {
		return Object{}, Fail(OpCopy, dst, fmt.Errorf("%s offers no server-side copy of %d bytes: %w", f.Name, size, Unsupported))
	}
	return copyInParts(ctx, b, src, size, dst, o, p)
}

func copyInParts(ctx context.Context, b Bucket, src Source, size int64, dst string, o WriteOptions, p CopyPlan) (obj Object, err error) {
	f := b.Features()
	plan, err := f.Parts.Plan(p.PartSize, f.Parts.MaxSize, size)
	if err != nil {
		return Object{}, Fail(OpCopy, dst, err)
	}
	cond := o.Cond
	o.Cond = Cond{}
	u, err := b.CreateUpload(ctx, dst, o)
	if err != nil {
		return Object{}, err
	}
	defer func() {
		if err != nil && !MayHave(err) {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
			defer cancel()
			// The first error is the one to report; the sweeper finds what stays.
			_ = b.AbortUpload(ctx, u)
		}
	}()

	count, _ := plan.Count(1, size)
	parts := make([]Part, count)
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(max(p.Concurrency, 1))
	var off int64
	for i := range parts {
		n := i + 1
		r := Range{Off: off, Len: min(plan.Size(n), size-off)}
		off += r.Len
		g.Go(func() (err error) {
			from := src
			from.Range = r
			parts[i], err = f.CopyPart(gctx, u, n, from)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return Object{}, err
	}
	return b.CompleteUpload(ctx, u, parts, cond)
}

// DeleteAll deletes keys with as few requests as the store offers.
func DeleteAll(ctx context.Context, b Bucket, keys []string) error {
	f := b.Features()
	if f.DeleteBatch == nil || len(keys) == 1 {
		for _, key := range keys {
			if err := b.Delete(ctx, key); err != nil {
				return err
			}
		}
		return nil
	}
	for len(keys) > 0 {
		n := min(len(keys), f.BatchMax)
		if err := f.DeleteBatch(ctx, keys[:n]); err != nil {
			return err
		}
		keys = keys[n:]
	}
	return nil
}
