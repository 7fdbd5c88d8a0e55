package driver

import (
	"context"
	"fmt"
	"io"
	"strings"
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
// is aborted; in parts the content type and metadata are those of o, as the
// source's are not looked at. Unsupported when the store offers neither way, or can't honour
// o.Cond on the way that is taken.
func Copy(ctx context.Context, b Bucket, src Source, size int64, dst string, o WriteOptions, p CopyPlan) (Object, error) {
	f := b.Features()
	if f.Copy != nil && (f.CopyMax == 0 || size <= f.CopyMax) {
		if !f.Conds.Copy.Allows(o.Cond) {
			return Object{}, Fail(OpCopy, dst, fmt.Errorf("%s can't copy under a condition: %w", f.Name, Unsupported))
		}
		obj, err := f.Copy(ctx, CopyRequest{Src: src, Dst: dst, Options: o})
		if err == nil && obj.Size < 0 {
			obj.Size = size
		}
		return obj, err
	}
	if f.CopyPart == nil {
		return Object{}, Fail(OpCopy, dst, fmt.Errorf("%s offers no server-side copy of %d bytes: %w", f.Name, size, Unsupported))
	}
	return copyInParts(ctx, b, src, size, dst, o, p)
}

func copyInParts(ctx context.Context, b Bucket, src Source, size int64, dst string, o WriteOptions, p CopyPlan) (obj Object, err error) {
	if size == 0 {
		return copyEmpty(ctx, b, src, dst, o)
	}
	f := b.Features()
	if !f.Conds.Complete.Allows(o.Cond) {
		return Object{}, Fail(OpCopy, dst, fmt.Errorf("%s can't complete an upload under a condition: %w", f.Name, Unsupported))
	}
	plan, err := f.Parts.Plan(p.PartSize, f.Parts.MaxSize, size)
	if err != nil {
		return Object{}, Fail(OpCopy, dst, err)
	}
	cond := o.Cond
	o.Cond, o.SHA256 = Cond{}, nil
	u, err := b.CreateUpload(ctx, dst, o)
	if err != nil {
		return Object{}, err
	}
	keep := false
	defer func() {
		if err != nil && !keep {
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
	obj, err = b.CompleteUpload(ctx, u, parts, cond)
	keep = MayHave(err) // an abort could take away what was completed
	return obj, err
}

// copyEmpty copies an object without bytes, of which stores take no part copies.
func copyEmpty(ctx context.Context, b Bucket, src Source, dst string, o WriteOptions) (Object, error) {
	obj, err := b.Stat(ctx, src.Key)
	switch {
	case err != nil:
		return Object{}, err
	case obj.Size != 0 || src.ETag != "" && obj.ETag != src.ETag:
		return Object{}, Fail(OpCopy, dst, fmt.Errorf("source %q changed: %w", src.Key, Mismatch))
	}
	o.SHA256 = nil
	if o.ContentType == "" && o.Metadata == nil {
		o.ContentType, o.Metadata = obj.ContentType, obj.Metadata
	}
	return b.Put(ctx, dst, io.NewSectionReader(strings.NewReader(""), 0, 0), o)
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
		n := min(len(keys), max(f.BatchMax, 1))
		if err := f.DeleteBatch(ctx, keys[:n]); err != nil {
			return err
		}
		keys = keys[n:]
	}
	return nil
}
