package driver

import (
	"context"
	"iter"
)

// MaxPage is the largest page that every store delivers in one request.
const MaxPage = 1000

// ListRequest asks for one page of a listing.
type ListRequest struct {
	Prefix string // only keys that begin with it
	// Delimiter, "" or "/": with "/", keys that have a further "/" behind Prefix
	// are rolled up into one Entry with IsPrefix set.
	Delimiter  string
	StartAfter string // only keys after it in byte order
	Token      string // Page.Next of the page before; "" for the first
	Limit      int    // entries at most; 0 is MaxPage
}

// Page is one answer of a listing.
type Page[T any] struct {
	Items []T
	Next  string // token for the page behind it, "" when this is the last
}

// Entry is one line of a listing: an object, or a common prefix.
type Entry struct {
	Object
	IsPrefix bool // Key is a common prefix that ends in the delimiter; no more is known
}

// List iterates over all pages of q. It stops at the first error, which it
// yields with a zero Entry.
func List(ctx context.Context, b Objects, q ListRequest) iter.Seq2[Entry, error] {
	return pages(ctx, q, b.ListPage)
}

// ListUploads is List for uploads that are under way. A store without Features.Uploads
// has none.
func ListUploads(ctx context.Context, b Bucket, q ListRequest) iter.Seq2[Upload, error] {
	uploads := b.Features().Uploads
	if uploads == nil {
		return func(func(Upload, error) bool) {}
	}
	return pages(ctx, q, uploads.UploadsPage)
}

func pages[T any](ctx context.Context, q ListRequest, page func(context.Context, ListRequest) (Page[T], error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for {
			p, err := page(ctx, q)
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, it := range p.Items {
				if !yield(it, nil) {
					return
				}
			}
			if p.Next == "" {
				return
			}
			q.Token = p.Next
		}
	}
}
