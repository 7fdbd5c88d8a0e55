package mem

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/internal/listing"
)

// Stat describes the object at key.
func (b *Bucket) Stat(ctx context.Context, key string) (driver.Object, error) {
	obj, err := b.stat(ctx, key)
	if err != nil {
		return driver.Object{}, fail(driver.OpStat, key, err)
	}
	return b.out(obj.Object), nil
}

// statChecksums reports the CRC-32C of each object, and the SHA-256 of one that was put
// with it.
func (b *Bucket) statChecksums(ctx context.Context, key string) (driver.Object, error) {
	obj, err := b.stat(ctx, key)
	if err != nil {
		return driver.Object{}, fail(driver.OpStat, key, err)
	}
	out := b.out(obj.Object)
	out.Checksums = driver.Checksums{CRC32C: new(obj.data.crc32c()), SHA256: slices.Clone(obj.sha256)}
	return out, nil
}

func (b *Bucket) stat(ctx context.Context, key string) (object, error) {
	full, err := b.full(ctx, key)
	if err != nil {
		return object{}, err
	}
	b.store.mu.Lock()
	defer b.store.mu.Unlock()
	obj, there := b.store.objects[full]
	if !there {
		return object{}, driver.NotFound
	}
	return obj, nil
}

// Open reads one version of the object, whatever is written meanwhile.
func (b *Bucket) Open(ctx context.Context, key string, r driver.Range, o driver.ReadOptions) (*driver.Reader, error) {
	rd, err := b.open(ctx, key, r, o)
	if err != nil {
		return nil, fail(driver.OpOpen, key, err)
	}
	return rd, nil
}

func (b *Bucket) open(ctx context.Context, key string, r driver.Range, o driver.ReadOptions) (*driver.Reader, error) {
	full, err := b.full(ctx, key)
	if err != nil {
		return nil, err
	}
	b.store.mu.Lock()
	obj, there := b.store.objects[full]
	b.store.mu.Unlock()
	switch {
	case !there:
		return nil, driver.NotFound
	case o.IfMatch != "" && o.IfMatch != obj.ETag:
		return nil, fmt.Errorf("want ETag %s, have %s: %w", o.IfMatch, obj.ETag, driver.Mismatch)
	}
	if r, err = r.Resolve(obj.Size); err != nil {
		return nil, err
	}
	rd := &reader{ctx: ctx, key: key, r: obj.data.slice(r).reader()}
	return &driver.Reader{ReadCloser: rd, Object: b.out(obj.Object), Range: r}, nil
}

// reader ends with the context of the Open that made it.
type reader struct {
	ctx context.Context
	key string
	r   io.Reader // nil once closed
}

func (r *reader) Read(p []byte) (int, error) {
	if r.r == nil {
		return 0, fail(driver.OpOpen, r.key, fs.ErrClosed)
	}
	if err := r.ctx.Err(); err != nil {
		return 0, fail(driver.OpOpen, r.key, err)
	}
	return r.r.Read(p)
}

func (r *reader) Close() error {
	r.r = nil
	return nil
}

// Put stores body at key.
func (b *Bucket) Put(ctx context.Context, key string, body *io.SectionReader, o driver.WriteOptions) (driver.Object, error) {
	obj, err := b.put(ctx, key, body, o)
	if err != nil {
		return driver.Object{}, fail(driver.OpPut, key, err)
	}
	return obj, nil
}

func (b *Bucket) put(ctx context.Context, key string, body *io.SectionReader, o driver.WriteOptions) (driver.Object, error) {
	full, err := b.full(ctx, key)
	if err != nil {
		return driver.Object{}, err
	}
	if err := cmp.Or(o.Check(), b.allows(o.Cond)); err != nil {
		return driver.Object{}, err
	}
	if err := b.limits.CheckPut(body.Size()); err != nil {
		return driver.Object{}, err
	}
	data, err := receive(ctx, body, o.SHA256)
	if err != nil {
		return driver.Object{}, err
	}
	b.store.mu.Lock()
	defer b.store.mu.Unlock()
	if err := b.store.check(full, o.Cond); err != nil {
		return driver.Object{}, err
	}
	stored := b.store.set(full, data, o)
	if len(o.SHA256) > 0 {
		b.store.objects[full] = object{Object: stored, data: data, sha256: slices.Clone(o.SHA256)}
	}
	return b.out(stored), nil
}

// ListPage lists what is there at this moment. As in most stores, entries carry
// neither content type nor metadata.
func (b *Bucket) ListPage(ctx context.Context, q driver.ListRequest) (driver.Page[driver.Entry], error) {
	p, err := b.listPage(ctx, q)
	if err != nil {
		return driver.Page[driver.Entry]{}, fail(driver.OpList, q.Prefix, err)
	}
	return p, nil
}

func (b *Bucket) listPage(ctx context.Context, q driver.ListRequest) (page driver.Page[driver.Entry], err error) {
	if err := cmp.Or(ctx.Err(), q.Check()); err != nil {
		return page, err
	}
	q = b.fullList(q)
	from, err := listing.From(q)
	if err != nil {
		return page, err
	}
	b.store.mu.Lock()
	defer b.store.mu.Unlock()
	keys := b.store.keys
	for {
		i, _ := slices.BinarySearch(keys, from)
		if i == len(keys) || !strings.HasPrefix(keys[i], q.Prefix) {
			return page, nil
		}
		if len(page.Items) == q.PageSize() {
			page.Next = listing.Token(from)
			return page, nil
		}
		key := keys[i]
		if common := listing.Rollup(q, key); common != "" {
			e := driver.Entry{Object: b.out(driver.Object{Key: common}), IsPrefix: true}
			page.Items = append(page.Items, e)
			from = listing.BehindPrefix(common)
			continue
		}
		obj := b.store.objects[key].Object
		obj.ContentType, obj.Metadata = "", nil
		page.Items = append(page.Items, driver.Entry{Object: b.out(obj)})
		from = listing.Behind(key)
	}
}

// fullList puts the bucket's prefix in front of the keys in q.
func (b *Bucket) fullList(q driver.ListRequest) driver.ListRequest {
	q.Prefix = b.prefix + q.Prefix
	if q.StartAfter != "" {
		q.StartAfter = b.prefix + q.StartAfter
	}
	return q
}
