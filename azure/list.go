package azure

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"github.com/blobdock/blobdock/driver"
)

// ListPage is one page of a listing. Where StartAfter lies far behind the
// beginning, pages may be empty and yet not the last: a store that doesn't know
// startFrom lists all that is before it, and so do listings with a delimiter.
//
// Names come in byte order on flat accounts. Accounts with a hierarchical
// namespace sort folder by folder.
func (b *Bucket) ListPage(ctx context.Context, q driver.ListRequest) (driver.Page[driver.Entry], error) {
	none := driver.Page[driver.Entry]{}
	if err := q.Check(); err != nil {
		return none, driver.NewError(driver.OpList, q.Prefix, err)
	}
	if err := ctx.Err(); err != nil {
		return none, driver.NewError(driver.OpList, q.Prefix, err)
	}
	if beyond(q) {
		return none, nil
	}
	ctx, c := begin(ctx, driver.OpList, q.Prefix)
	list := b.listFlat
	if q.Delimiter != "" {
		list = b.listFolder
	}
	l, err := list(ctx, q, container.ListBlobsInclude{})
	if err != nil {
		return none, c.fail(ctx, err)
	}
	page := driver.Page[driver.Entry]{Next: l.next, Items: make([]driver.Entry, 0, len(l.blobs)+len(l.prefixes))}
	for _, i := range l.blobs {
		p := i.Properties
		if p == nil || b.isFolder(ctx, p) {
			continue
		}
		if key, ok := b.listed(q, value(i.Name)); ok {
			page.Items = append(page.Items, driver.Entry{Object: driver.Object{
				Key: key, Size: value(p.ContentLength), ETag: etag(p.ETag), Version: etag(p.ETag),
				ModTime: value(p.LastModified), ContentType: value(p.ContentType), ContentEncoding: value(p.ContentEncoding),
			}})
		}
	}
	for _, p := range l.prefixes {
		if key, ok := b.listed(q, value(p.Name)); ok {
			page.Items = append(page.Items, driver.Entry{Object: driver.Object{Key: key}, IsPrefix: true})
		}
	}
	// Objects and common prefixes come apart.
	slices.SortFunc(page.Items, func(a, b driver.Entry) int { return strings.Compare(a.Key, b.Key) })
	return page, nil
}

// listing is what both kinds of request answer.
type listing struct {
	blobs    []*container.BlobItem
	prefixes []*container.BlobPrefix
	next     string
}

// beyond tells that all keys with the prefix lie before StartAfter.
func beyond(q driver.ListRequest) bool {
	return q.StartAfter > q.Prefix && !strings.HasPrefix(q.StartAfter, q.Prefix)
}

// listed is the key of a name that the store lists, when it belongs to q.
func (b *Bucket) listed(q driver.ListRequest, name string) (string, bool) {
	key, ours := b.prefix.Cut(name)
	return key, ours && key > q.StartAfter
}

func (b *Bucket) listFlat(ctx context.Context, q driver.ListRequest, with container.ListBlobsInclude) (listing, error) {
	if q.StartAfter > q.Prefix {
		ctx = context.WithValue(ctx, startKey{}, b.full(q.StartAfter))
	}
	out, err := b.client.NewListBlobsFlatPager(&container.ListBlobsFlatOptions{
		Include: with, Prefix: text(b.full(q.Prefix)), Marker: text(q.Token), MaxResults: to.Ptr(int32(q.PageSize())),
	}).NextPage(ctx)
	if err != nil {
		return listing{}, err
	}
	l := listing{next: value(out.NextMarker)}
	if out.Segment != nil {
		l.blobs = out.Segment.BlobItems
	}
	return l, nil
}

func (b *Bucket) listFolder(ctx context.Context, q driver.ListRequest, with container.ListBlobsInclude) (listing, error) {
	out, err := b.client.NewListBlobsHierarchyPager(q.Delimiter, &container.ListBlobsHierarchyOptions{
		Include: with, Prefix: text(b.full(q.Prefix)), Marker: text(q.Token), MaxResults: to.Ptr(int32(q.PageSize())),
	}).NextPage(ctx)
	if err != nil {
		return listing{}, err
	}
	l := listing{next: value(out.NextMarker)}
	if out.Segment != nil {
		l.blobs, l.prefixes = out.Segment.BlobItems, out.Segment.BlobPrefixes
	}
	return l, nil
}

// listFrom is where a listing begins: the SDK has the field for it and leaves it
// out of flat listings. It runs before the request is signed.
type listFrom struct{}

type startKey struct{}

func (listFrom) Do(req *policy.Request) (*http.Response, error) {
	raw := req.Raw()
	if start, ok := raw.Context().Value(startKey{}).(string); ok {
		q := raw.URL.Query()
		q.Set("startFrom", start)
		raw.URL.RawQuery = q.Encode()
	}
	return req.Next()
}

// text is nil for "", which the SDK does not send.
func text(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
