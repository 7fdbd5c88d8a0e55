package manifests_test

import (
	"context"
	"crypto/md5" //nolint:gosec // as S3 does
	"fmt"
	"io"
	"sync"

	"github.com/blobdock/blobdock/driver"
)

// md5ETags is a bucket whose listings have the ETags of Amazon S3.
type md5ETags struct{ driver.Bucket }

func (b md5ETags) ListPage(ctx context.Context, q driver.ListRequest) (driver.Page[driver.Entry], error) {
	p, err := b.Bucket.ListPage(ctx, q)
	for i, e := range p.Items {
		if e.IsPrefix {
			continue
		}
		rd, err := b.Open(ctx, e.Key, driver.Range{}, driver.ReadOptions{})
		if err != nil {
			return p, err
		}
		h := md5.New() //nolint:gosec // see above
		_, err = io.Copy(h, rd)
		_ = rd.Close()
		if err != nil {
			return p, err
		}
		p.Items[i].ETag = fmt.Sprintf(`"%x"`, h.Sum(nil))
	}
	return p, err
}

// counting counts calls.
func counting(n *int) driver.Interceptor {
	var mu sync.Mutex
	return func(ctx context.Context, _ *driver.Call, next func(context.Context) error) error {
		mu.Lock()
		*n++
		mu.Unlock()
		return next(ctx)
	}
}
