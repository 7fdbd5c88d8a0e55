package driver

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
)

// abortTime bounds the abort of a failed upload once the caller's context has ended: the
// caller waits for it, and a store that does not answer must not hold the caller up.
const abortTime = 500 * time.Millisecond

// CopyPlan tunes Copy and Concat.
type CopyPlan struct {
	PartSize    int64 // bytes a part copy moves at once, at least Parts.MinSize
	Concurrency int   // part copies under way at the same time
	// Buffer lends memory for n bytes that Concat must send itself; release gives it
	// back. nil allocates. Copy needs none.
	Buffer func(ctx context.Context, n int64) (buf []byte, release func(), err error)
}

// CopyPlan is what the bucket's configuration prefers, and else 64 MiB, 16 at a time.
func (f Features) CopyPlan() CopyPlan {
	plan := f.Copying
	if plan.PartSize == 0 {
		plan.PartSize = 64 << 20
	}
	if plan.Concurrency == 0 {
		plan.Concurrency = 16
	}
	return plan
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
			return Object{}, NewError(OpCopy, dst, fmt.Errorf("%s can't copy under a condition: %w", f.Name, Unsupported))
		}
		obj, err := f.Copy(ctx, CopyRequest{Src: src, Dst: dst, Options: o})
		if err == nil && obj.Size < 0 {
			obj.Size = size
		}
		return obj, err
	}
	if f.CopyPart == nil {
		return Object{}, NewError(OpCopy, dst, fmt.Errorf("%s offers no server-side copy of %d bytes: %w", f.Name, size, Unsupported))
	}
	return copyInParts(ctx, b, src, size, dst, o, p)
}

func copyInParts(ctx context.Context, b Bucket, src Source, size int64, dst string, o WriteOptions, p CopyPlan) (Object, error) {
	if size == 0 {
		return copyEmpty(ctx, b, src, dst, o)
	}
	f := b.Features()
	if !f.Conds.Complete.Allows(o.Cond) {
		return Object{}, NewError(OpCopy, dst, fmt.Errorf("%s can't complete an upload under a condition: %w", f.Name, Unsupported))
	}
	plan, err := f.Parts.Plan(p.PartSize, f.Parts.MaxSize, size)
	if err != nil {
		return Object{}, NewError(OpCopy, dst, err)
	}
	count, _ := plan.Count(1, size)
	parts := make([]partSource, count)
	var off int64
	for i := range parts {
		r := Range{Off: off, Len: min(plan.Size(i+1), size-off)}
		off += r.Len
		parts[i] = copied(f, Source{Key: src.Key, ETag: src.ETag, Range: r, Size: size})
	}
	return assemble(ctx, b, dst, parts, o, p.Concurrency)
}

// partSource sends part n of u.
type partSource func(ctx context.Context, u Upload, n int) (Part, error)

// copied is a part that the store copies.
func copied(f Features, src Source) partSource {
	return func(ctx context.Context, u Upload, n int) (Part, error) { return f.CopyPart(ctx, u, n, src) }
}

// assembleTries bounds how often parts are sent anew since another writer was faster. Each
// time that one has succeeded.
const assembleTries = 8

// assemble makes an object by an upload. A store that keeps parts by the key (Azure) drops
// them when another writer puts an object there: they are sent again, unless o.Cond says
// what has to be there.
func assemble(ctx context.Context, b Bucket, key string, from []partSource, o WriteOptions, concurrency int) (Object, error) {
	for try := 1; ; try++ {
		obj, dropped, err := assembleOnce(ctx, b, key, from, o, concurrency)
		if !dropped || !o.Cond.IsZero() || try == assembleTries {
			return obj, err
		}
	}
}

// assembleOnce makes an object by an upload, whose parts have consecutive numbers and
// are all named. An upload that fails is aborted, unless its completion may have
// taken effect. dropped reports whether the store had not all parts at its completion.
func assembleOnce(ctx context.Context, b Bucket, key string, from []partSource, o WriteOptions, concurrency int) (obj Object, dropped bool, err error) {
	cond := o.Cond
	o.Cond, o.SHA256 = Cond{}, nil
	uploads := b.Features().Uploads
	u, err := uploads.CreateUpload(ctx, key, o)
	if err != nil {
		return Object{}, false, err
	}
	keep := false
	defer func() {
		if err == nil || keep {
			return
		}
		if ctx.Err() != nil {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), abortTime)
			defer cancel()
		}
		// The first error is the one to report; the sweeper finds what stays.
		_ = uploads.AbortUpload(ctx, u)
	}()

	parts := make([]Part, len(from))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(max(concurrency, 1))
	for i, send := range from {
		g.Go(func() (err error) {
			parts[i], err = send(gctx, u, i+1)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return Object{}, false, err
	}
	obj, err = uploads.CompleteUpload(ctx, u, parts, cond)
	keep = OutcomeUnknown(err) // an abort could take away what was completed
	return obj, !keep && (errors.Is(err, NotFound) || errors.Is(err, Mismatch)), err
}

// copyEmpty copies an object without bytes, of which stores take no part copies.
func copyEmpty(ctx context.Context, b Bucket, src Source, dst string, o WriteOptions) (Object, error) {
	obj, err := b.Stat(ctx, src.Key)
	switch {
	case err != nil:
		return Object{}, err
	case obj.Size != 0 || src.ETag != "" && obj.ETag != src.ETag:
		return Object{}, NewError(OpCopy, dst, fmt.Errorf("source %q changed: %w", src.Key, Mismatch))
	}
	o.SHA256 = nil
	if o.ContentType == "" && o.Metadata == nil {
		o.ContentType, o.Metadata = obj.ContentType, obj.Metadata
	}
	return b.Put(ctx, dst, section(nil), o)
}
