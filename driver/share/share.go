// Package share has those who read the same small object at the same time share requests, such as a
// thousand machines that pull an image as soon as it is pushed.
//
// Nothing is cached: each caller is answered by a request that began after its call. Who comes
// while a request for the same key is under way waits for the next one, along with all others who
// do. So a crowd costs two requests, one after the other.
package share

import (
	"bytes"
	"context"
	"io"

	"github.com/blobdock/blobdock/driver"
)

// small is the most bytes of an object that is read once for several.
const small = 64 << 10

// Wrap has callers of Stat, and of Open for whole objects of up to 64 KiB, share requests.
func Wrap(b driver.Bucket) driver.Bucket { return &bucket{Bucket: b} }

type bucket struct {
	driver.Bucket
	stats group[driver.Object]
	opens group[content]
}

// Stat implements driver.Bucket.
func (b *bucket) Stat(ctx context.Context, key string) (driver.Object, error) {
	return b.stats.do(ctx, key, func() (driver.Object, bool, error) {
		o, err := b.Bucket.Stat(ctx, key)
		return o, true, err
	})
}

// content is what was opened: all of it in bytes, or a reader that is one caller's alone.
type content struct {
	bytes []byte
	rd    *driver.Reader
}

// Open implements driver.Bucket.
func (b *bucket) Open(ctx context.Context, key string, r driver.Range, o driver.ReadOptions) (*driver.Reader, error) {
	if r != (driver.Range{}) || o != (driver.ReadOptions{}) {
		return b.Bucket.Open(ctx, key, r, o)
	}
	c, err := b.opens.do(ctx, key, func() (content, bool, error) {
		rd, err := b.Bucket.Open(ctx, key, r, o)
		if err != nil || rd.Object.Size > small {
			return content{rd: rd}, err != nil, err
		}
		p, broke := io.ReadAll(rd)
		if broke == nil {
			return content{p, rd}, true, rd.Close()
		}
		// The caller's own read is to find that.
		rd.ReadCloser = broken{io.MultiReader(bytes.NewReader(p), failing{broke}), rd.ReadCloser}
		return content{rd: rd}, false, nil
	})
	if err != nil || c.bytes == nil {
		return c.rd, err
	}
	shared := *c.rd
	shared.ReadCloser = io.NopCloser(bytes.NewReader(c.bytes))
	return &shared, nil
}

type broken struct {
	io.Reader
	io.Closer
}

// failing is a reader that fails.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }
