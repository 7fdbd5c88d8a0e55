package gcs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/api/storage/v1"

	"github.com/blobdock/blobdock/driver"
)

// listFields are all that an entry tells.
const listFields = "nextPageToken,prefixes,items(name,size,generation,updated,contentType)"

// ListPage is one page of a listing. One that covers the parts of uploads goes
// around them: a page ends before them, the next begins behind.
func (b *Bucket) ListPage(ctx context.Context, q driver.ListRequest) (driver.Page[driver.Entry], error) {
	if err := q.Check(); err != nil {
		return driver.Page[driver.Entry]{}, driver.Fail(driver.OpList, q.Prefix, err)
	}
	r, err := b.listing(q)
	if err != nil {
		return driver.Page[driver.Entry]{}, driver.Fail(driver.OpList, q.Prefix, err)
	}
	got, err := b.list(ctx, driver.OpList, q.Prefix, r.call)
	if err != nil {
		return driver.Page[driver.Entry]{}, err
	}
	page := driver.Page[driver.Entry]{Next: r.next(got.NextPageToken)}
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

// ranged is one request for a page, and which side of the parts it is on.
type ranged struct {
	call *storage.ObjectsListCall
	side string
}

// The sides of a listing, at the head of its tokens.
const (
	sideBefore = "1" // of the parts
	sideBehind = "2"
	sideWhole  = "0" // there are none in it
)

// next is the token of the page behind one that came with token.
func (r ranged) next(token string) string {
	switch {
	case token != "":
		return r.side + token
	case r.side == sideBefore:
		return sideBehind
	default:
		return ""
	}
}

// behindParts sorts behind all of partsDir, and before all else that does.
var behindParts = strings.TrimSuffix(partsDir, "/") + "0"

func (b *Bucket) listing(q driver.ListRequest) (ranged, error) {
	after := q.StartAfter
	r := ranged{side: sideWhole}
	if strings.HasPrefix(partsDir, q.Prefix) || strings.HasPrefix(q.Prefix, partsDir) {
		r.side = sideBefore
		if after >= behindParts {
			r.side = sideWhole
		} else if after >= partsDir {
			r.side = sideBehind
		}
	}
	token := ""
	if q.Token != "" {
		r.side, token = q.Token[:1], q.Token[1:]
		if r.side != sideWhole && r.side != sideBefore && r.side != sideBehind {
			return ranged{}, fmt.Errorf("listing token %q is not one of this store's: %w", q.Token, driver.Invalid)
		}
	}
	// The offset is inclusive; no key continues another with less than a space.
	start := ""
	if after != "" {
		start = b.prefix.Full(after) + " "
	}
	r.call = b.service.List(b.name).Prefix(b.prefix.Full(q.Prefix)).Delimiter(q.Delimiter).
		MaxResults(int64(q.PageSize())).PageToken(token).Projection("noAcl").Fields(listFields)
	switch r.side {
	case sideBefore:
		r.call.EndOffset(b.prefix.Full(partsDir))
	case sideBehind:
		start = max(start, b.prefix.Full(behindParts))
	}
	if start != "" {
		r.call.StartOffset(start)
	}
	return r, nil
}

// list makes one request for a page.
func (b *Bucket) list(ctx context.Context, op driver.Op, key string, r *storage.ObjectsListCall) (*storage.Objects, error) {
	ctx, c := begin(ctx, op, key, driver.Cond{})
	if b.config.UserProject != "" {
		r.UserProject(b.config.UserProject)
	}
	got, err := r.Context(ctx).Do()
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
