package file

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"

	"github.com/blobdock/blobdock/driver"
)

func (b *Bucket) copyObject(ctx context.Context, q driver.CopyRequest) (driver.Object, error) {
	obj, err := b.copyTo(ctx, q)
	if err != nil {
		return driver.Object{}, fail(driver.OpCopy, q.Dst, err)
	}
	return obj, nil
}

func (b *Bucket) copyTo(ctx context.Context, q driver.CopyRequest) (driver.Object, error) {
	if err := cmp.Or(b.begin(ctx, q.Src.Key, q.Dst), q.Check()); err != nil {
		return driver.Object{}, err
	}
	src, info, err := b.openVersion(q.Src.Key, q.Src.ETag)
	if err != nil {
		return driver.Object{}, fmt.Errorf("source %q: %w", q.Src.Key, err)
	}
	defer func() { _ = src.Close() }()
	if err := b.holds(q.Dst, q.Options.Cond); err != nil {
		return driver.Object{}, err
	}
	return b.publish(ctx, q.Dst, q.Options.Cond, func(w io.Writer) error { return copyRange(ctx, w, src, info.Size()) })
}

// step is how much is copied between two looks at the context.
const step = 64 << 20

// copyRange copies n bytes inside the kernel (copy_file_range), which shares the blocks
// where the file system can.
func copyRange(ctx context.Context, w io.Writer, src *os.File, n int64) error {
	for n > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		m, err := io.Copy(w, io.LimitReader(src, min(n, step)))
		n -= m
		if err == nil && m == 0 {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}
