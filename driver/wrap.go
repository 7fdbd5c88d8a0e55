package driver

import (
	"context"
	"io"
)

// Call is one method call on its way through a wrapper.
type Call struct {
	Op   Op
	Key  string // object or upload key; the destination of a copy; a listing's prefix
	Src  string // the source of a copy, the first of a concatenation
	Part int
	Cond Cond
	// Consumes reports whether a success may delete the sources, so that the same
	// call can't succeed again.
	Consumes bool
	// Body is what is sent, nil when nothing is. A wrapper may put another in its
	// place before it calls next.
	Body *io.SectionReader
	// Reader is what Open delivers, set once next has returned nil. A wrapper may
	// put another in its place.
	Reader *Reader
}

// Interceptor runs around one call: it calls next, any number of times, and returns
// the call's error. What the last next delivered is what the caller gets when
// the error is nil.
type Interceptor func(ctx context.Context, c *Call, next func(context.Context) error) error

// Wrap puts i around every method of b and every feature that it offers.
func Wrap(b Bucket, i Interceptor) Bucket {
	w := &wrapped{bucket: b, intercept: i}
	w.features = w.wrapFeatures(b.Features())
	return w
}

type wrapped struct {
	bucket    Bucket
	intercept Interceptor
	features  Features
}

// via runs f inside the wrapper's Interceptor and hands its result out only when
// there is no error.
func via[T any](ctx context.Context, w *wrapped, c *Call, f func(context.Context) (T, error)) (T, error) {
	var got T
	err := w.intercept(ctx, c, func(ctx context.Context) (err error) {
		got, err = f(ctx)
		return err
	})
	if err != nil {
		var none T
		return none, err
	}
	return got, nil
}

// via0 is via for calls that deliver nothing.
func via0(ctx context.Context, w *wrapped, c *Call, f func(context.Context) error) error {
	return w.intercept(ctx, c, f)
}

func (w *wrapped) Features() Features { return w.features }
func (w *wrapped) Close() error       { return w.bucket.Close() }

func (w *wrapped) Stat(ctx context.Context, key string) (Object, error) {
	return via(ctx, w, &Call{Op: OpStat, Key: key}, func(ctx context.Context) (Object, error) {
		return w.bucket.Stat(ctx, key)
	})
}

func (w *wrapped) Open(ctx context.Context, key string, r Range, o ReadOptions) (*Reader, error) {
	c := &Call{Op: OpOpen, Key: key}
	err := w.intercept(ctx, c, func(ctx context.Context) (err error) {
		c.Reader, err = w.bucket.Open(ctx, key, r, o)
		return err
	})
	if err != nil {
		if c.Reader != nil {
			_ = c.Reader.Close() // the wrapper turned a success into a failure
		}
		return nil, err
	}
	return c.Reader, nil
}

func (w *wrapped) Put(ctx context.Context, key string, body *io.SectionReader, o WriteOptions) (Object, error) {
	c := &Call{Op: OpPut, Key: key, Cond: o.Cond, Body: body}
	return via(ctx, w, c, func(ctx context.Context) (Object, error) {
		return w.bucket.Put(ctx, key, c.Body, o)
	})
}

func (w *wrapped) Delete(ctx context.Context, key string, o DeleteOptions) error {
	return via0(ctx, w, &Call{Op: OpDelete, Key: key}, func(ctx context.Context) error {
		return w.bucket.Delete(ctx, key, o)
	})
}

func (w *wrapped) ListPage(ctx context.Context, q ListRequest) (Page[Entry], error) {
	return via(ctx, w, &Call{Op: OpList, Key: q.Prefix}, func(ctx context.Context) (Page[Entry], error) {
		return w.bucket.ListPage(ctx, q)
	})
}

func (w *wrapped) wrapFeatures(f Features) Features {
	if f.Uploads != nil {
		f.Uploads = &wrappedUploads{wrapped: w, uploads: f.Uploads}
	}
	if sign := f.Sign; sign != nil {
		f.Sign = func(ctx context.Context, r SignRequest) (SignedURL, error) {
			return via(ctx, w, &Call{Op: OpSign, Key: r.Key, Part: r.Part}, func(ctx context.Context) (SignedURL, error) {
				return sign(ctx, r)
			})
		}
	}
	if identify := f.Identify; identify != nil {
		f.Identify = func(ctx context.Context) (string, error) {
			return via(ctx, w, &Call{Op: OpList}, identify)
		}
	}
	if settings := f.Settings; settings != nil {
		f.Settings = func(ctx context.Context) ([]BucketSetting, error) {
			return via(ctx, w, &Call{Op: OpStat}, settings)
		}
	}
	if stat := f.StatChecksums; stat != nil {
		f.StatChecksums = func(ctx context.Context, key string) (Object, error) {
			return via(ctx, w, &Call{Op: OpStat, Key: key}, func(ctx context.Context) (Object, error) {
				return stat(ctx, key)
			})
		}
	}
	if copyObject := f.Copy; copyObject != nil {
		f.Copy = func(ctx context.Context, r CopyRequest) (Object, error) {
			c := &Call{Op: OpCopy, Key: r.Dst, Src: r.Src.Key, Cond: r.Options.Cond}
			return via(ctx, w, c, func(ctx context.Context) (Object, error) {
				return copyObject(ctx, r)
			})
		}
	}
	if copyPart := f.CopyPart; copyPart != nil {
		f.CopyPart = func(ctx context.Context, u Upload, n int, src Source) (Part, error) {
			c := &Call{Op: OpCopyPart, Key: u.Key, Src: src.Key, Part: n}
			return via(ctx, w, c, func(ctx context.Context) (Part, error) {
				return copyPart(ctx, u, n, src)
			})
		}
	}
	if concat := f.Concat; concat != nil {
		f.Concat = func(ctx context.Context, r ConcatRequest) (Object, error) {
			c := &Call{Op: OpConcat, Key: r.Key, Cond: r.Options.Cond, Consumes: r.DeleteSources}
			if len(r.Sources) > 0 {
				c.Src = r.Sources[0].Key
			}
			return via(ctx, w, c, func(ctx context.Context) (Object, error) {
				return concat(ctx, r)
			})
		}
	}
	if deleteBatch := f.DeleteBatch; deleteBatch != nil {
		f.DeleteBatch = func(ctx context.Context, refs []ObjectRef) error {
			c := &Call{Op: OpDeleteBatch}
			if len(refs) > 0 {
				c.Key = refs[0].Key
			}
			return via0(ctx, w, c, func(ctx context.Context) error {
				return deleteBatch(ctx, refs)
			})
		}
	}
	return f
}

type wrappedUploads struct {
	wrapped *wrapped
	uploads Uploads
}

func (w *wrappedUploads) CreateUpload(ctx context.Context, key string, o WriteOptions) (Upload, error) {
	return via(ctx, w.wrapped, &Call{Op: OpCreateUpload, Key: key}, func(ctx context.Context) (Upload, error) {
		return w.uploads.CreateUpload(ctx, key, o)
	})
}

func (w *wrappedUploads) PutPart(ctx context.Context, u Upload, n int, body *io.SectionReader) (Part, error) {
	c := &Call{Op: OpPutPart, Key: u.Key, Part: n, Body: body}
	return via(ctx, w.wrapped, c, func(ctx context.Context) (Part, error) {
		return w.uploads.PutPart(ctx, u, n, c.Body)
	})
}

func (w *wrappedUploads) CompleteUpload(ctx context.Context, u Upload, parts []Part, cond Cond) (Object, error) {
	return via(ctx, w.wrapped, &Call{Op: OpCompleteUpload, Key: u.Key, Cond: cond}, func(ctx context.Context) (Object, error) {
		return w.uploads.CompleteUpload(ctx, u, parts, cond)
	})
}

func (w *wrappedUploads) AbortUpload(ctx context.Context, u Upload) error {
	return via0(ctx, w.wrapped, &Call{Op: OpAbortUpload, Key: u.Key}, func(ctx context.Context) error {
		return w.uploads.AbortUpload(ctx, u)
	})
}

func (w *wrappedUploads) UploadsPage(ctx context.Context, q ListRequest) (Page[Upload], error) {
	return via(ctx, w.wrapped, &Call{Op: OpListUploads, Key: q.Prefix}, func(ctx context.Context) (Page[Upload], error) {
		return w.uploads.UploadsPage(ctx, q)
	})
}

// WithFeatures returns b with its features changed by edit: a store without a feature,
// say, for a test of the path that does without.
func WithFeatures(b Bucket, edit func(*Features)) Bucket {
	f := b.Features()
	edit(&f)
	return &edited{Bucket: b, features: f}
}

type edited struct {
	Bucket
	features Features
}

func (e *edited) Features() Features { return e.features }
