package mem

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/internal/listing"
)

// CreateUpload begins an upload in parts.
func (b *Bucket) CreateUpload(ctx context.Context, key string, o driver.WriteOptions) (driver.Upload, error) {
	full, err := b.full(ctx, key)
	if err = cmp.Or(err, o.CheckUpload()); err != nil {
		return driver.Upload{}, fail(driver.OpCreateUpload, key, err)
	}
	o.Metadata = maps.Clone(o.Metadata)
	u := driver.Upload{Key: full, ID: rand.Text(), Started: time.Now().UTC()}
	b.store.mu.Lock()
	defer b.store.mu.Unlock()
	b.store.uploads[u.ID] = &upload{Upload: u, options: o, parts: map[int]part{}}
	return b.outUpload(u), nil
}

// PutPart stores a part of an upload.
func (b *Bucket) PutPart(ctx context.Context, u driver.Upload, n int, body *io.SectionReader) (driver.Part, error) {
	p, err := b.putPart(ctx, u, n, body)
	if err != nil {
		return driver.Part{}, fail(driver.OpPutPart, u.Key, err)
	}
	return p, nil
}

func (b *Bucket) putPart(ctx context.Context, u driver.Upload, n int, body *io.SectionReader) (driver.Part, error) {
	full, err := b.full(ctx, u.Key)
	if err = cmp.Or(err, b.limits.CheckPart(n, body.Size())); err != nil {
		return driver.Part{}, err
	}
	data, err := receive(ctx, body, nil)
	if err != nil {
		return driver.Part{}, fmt.Errorf("part %d: %w", n, err)
	}
	b.store.mu.Lock()
	defer b.store.mu.Unlock()
	return b.store.setPart(full, u.ID, n, data)
}

// setPart stores or replaces part n. The caller holds mu.
func (s *store) setPart(key, id string, n int, data content) (driver.Part, error) {
	up, err := s.upload(key, id)
	if err != nil {
		return driver.Part{}, err
	}
	etag, _ := s.name(data)
	p := driver.Part{Number: n, Size: data.size, ETag: etag}
	up.parts[n] = part{Part: p, data: data}
	return p, nil
}

// upload finds an upload that is under way. The caller holds mu.
func (s *store) upload(key, id string) (*upload, error) {
	up := s.uploads[id]
	if up == nil || up.Key != key {
		return nil, fmt.Errorf("upload %q: %w", id, driver.NotFound)
	}
	return up, nil
}

// CompleteUpload makes the parts an object. When it fails, the upload stays.
func (b *Bucket) CompleteUpload(ctx context.Context, u driver.Upload, parts []driver.Part, c driver.Cond) (driver.Object, error) {
	obj, err := b.complete(ctx, u, parts, c)
	if err != nil {
		return driver.Object{}, fail(driver.OpCompleteUpload, u.Key, err)
	}
	return obj, nil
}

func (b *Bucket) complete(ctx context.Context, u driver.Upload, parts []driver.Part, c driver.Cond) (driver.Object, error) {
	key, err := b.full(ctx, u.Key)
	if err = cmp.Or(err, b.allows(c)); err != nil {
		return driver.Object{}, err
	}
	b.store.mu.Lock()
	defer b.store.mu.Unlock()
	up, err := b.store.upload(key, u.ID)
	if err != nil {
		return driver.Object{}, err
	}
	data, err := up.join(parts, b.limits)
	if err = cmp.Or(err, b.store.check(key, c)); err != nil {
		return driver.Object{}, err
	}
	delete(b.store.uploads, u.ID)
	return b.out(b.store.set(key, data, up.options)), nil
}

// join is the content of the named parts: all that there are, unchanged.
func (up *upload) join(parts []driver.Part, l driver.PartLimits) (content, error) {
	have := make([]driver.Part, len(parts))
	data := make([]content, len(parts))
	for i, want := range parts {
		p, there := up.parts[want.Number]
		switch {
		case !there:
			return content{}, fmt.Errorf("part %d is not there: %w", want.Number, driver.Mismatch)
		case p.ETag != want.ETag:
			return content{}, fmt.Errorf("part %d: want ETag %s, have %s: %w", want.Number, want.ETag, p.ETag, driver.Mismatch)
		}
		have[i], data[i] = p.Part, p.data
	}
	if err := l.CheckComplete(have); err != nil {
		return content{}, err
	}
	if len(parts) < len(up.parts) {
		return content{}, fmt.Errorf("%d of %d parts are named: %w", len(parts), len(up.parts), driver.Mismatch)
	}
	return concat(data), nil
}

// AbortUpload drops an upload and its parts.
func (b *Bucket) AbortUpload(ctx context.Context, u driver.Upload) error {
	full, err := b.full(ctx, u.Key)
	if err != nil {
		return fail(driver.OpAbortUpload, u.Key, err)
	}
	b.store.mu.Lock()
	defer b.store.mu.Unlock()
	if _, err := b.store.upload(full, u.ID); err == nil {
		delete(b.store.uploads, u.ID)
	}
	return nil
}

// UploadsPage lists uploads by key, then by id.
func (b *Bucket) UploadsPage(ctx context.Context, q driver.ListRequest) (driver.Page[driver.Upload], error) {
	p, err := b.uploadsPage(ctx, q)
	if err != nil {
		return driver.Page[driver.Upload]{}, fail(driver.OpListUploads, q.Prefix, err)
	}
	return p, nil
}

func (b *Bucket) uploadsPage(ctx context.Context, q driver.ListRequest) (page driver.Page[driver.Upload], err error) {
	if err := cmp.Or(ctx.Err(), q.CheckUploads()); err != nil {
		return page, err
	}
	q = b.fullList(q)
	from, err := listing.FromUpload(q)
	if err != nil {
		return page, err
	}
	b.store.mu.Lock()
	defer b.store.mu.Unlock()
	places := make(map[string]driver.Upload)
	for _, up := range b.store.uploads {
		if at := listing.Upload(up.Key, up.ID); strings.HasPrefix(up.Key, q.Prefix) && at >= from {
			places[at] = up.Upload
		}
	}
	for _, at := range slices.Sorted(maps.Keys(places)) {
		if len(page.Items) == q.PageSize() {
			page.Next = listing.Token(at)
			break
		}
		page.Items = append(page.Items, b.outUpload(places[at]))
	}
	return page, nil
}

func (b *Bucket) outUpload(u driver.Upload) driver.Upload {
	u.Key = strings.TrimPrefix(u.Key, b.prefix)
	return u
}
