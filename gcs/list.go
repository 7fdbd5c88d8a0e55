package gcs

import (
	"context"
	"errors"
	"slices"
	"strings"

	"google.golang.org/api/storage/v1"

	"github.com/blobdock/blobdock/driver"
)

// listFields are all that an entry tells.
const listFields = "nextPageToken,prefixes,items(name,size,generation,updated,contentType,contentEncoding)"

// ListPage is one page of a listing.
func (b *Bucket) ListPage(ctx context.Context, q driver.ListRequest) (driver.Page[driver.Entry], error) {
	if err := q.Check(); err != nil {
		return driver.Page[driver.Entry]{}, driver.NewError(driver.OpList, q.Prefix, err)
	}
	got, err := b.list(ctx, q)
	if err != nil {
		return driver.Page[driver.Entry]{}, err
	}
	page := driver.Page[driver.Entry]{Next: got.NextPageToken}
	for _, o := range got.Items {
		if key, ours := b.prefix.Cut(o.Name); ours && key != q.StartAfter {
			page.Items = append(page.Items, driver.Entry{Object: b.object(key, o)})
		}
	}
	for _, p := range got.Prefixes {
		if key, ours := b.prefix.Cut(p); ours {
			page.Items = append(page.Items, driver.Entry{Object: driver.Object{Key: key}, IsPrefix: true})
		}
	}
	slices.SortFunc(page.Items, func(a, b driver.Entry) int { return strings.Compare(a.Key, b.Key) })
	return page, nil
}

// list makes one request for a page.
func (b *Bucket) list(ctx context.Context, q driver.ListRequest) (*storage.Objects, error) {
	ctx, c := begin(ctx, driver.OpList, q.Prefix, driver.Cond{})
	r := b.service.List(b.name).Prefix(b.prefix.Full(q.Prefix)).Delimiter(q.Delimiter).
		MaxResults(int64(q.PageSize())).PageToken(q.Token).Projection("noAcl").Fields(listFields).Context(ctx)
	if q.StartAfter != "" {
		// The offset is inclusive; no key continues another with less than a space.
		r.StartOffset(b.prefix.Full(q.StartAfter) + " ")
	}
	if b.config.UserProject != "" {
		r.UserProject(b.config.UserProject)
	}
	got, err := r.Do()
	if err != nil {
		err = c.fail(ctx, err)
		var e *driver.Error
		if errors.As(err, &e) && e.Kind == driver.NotFound {
			return nil, b.noBucket(e)
		}
		return nil, err
	}
	b.seen.Store(true)
	return got, nil
}
