package transfer

import (
	"context"
	"fmt"
	"iter"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/layout"
)

// found is a key of the source, and what the destination has in its place.
type found struct {
	src driver.Object
	dst *driver.Object // nil when there is nothing
}

// same reports whether the destination has an object of the same size.
func (f found) same() bool { return f.dst != nil && f.dst.Size == f.src.Size }

// mergeListings lists what the source has below prefix. The listing of the destination goes
// along: both are in the order of their keys.
func (c *copier) mergeListings(ctx context.Context, prefix string) iter.Seq2[found, error] {
	return func(yield func(found, error) bool) {
		next, stop := iter.Pull2(driver.List(ctx, c.dst.bucket, driver.ListRequest{Prefix: c.theirs(prefix)}))
		defer stop()
		there, err, more := next()
		for e, serr := range driver.List(ctx, c.src.bucket, driver.ListRequest{Prefix: prefix}) {
			if serr != nil {
				yield(found{}, fmt.Errorf("source: %w", serr))
				return
			}
			f, key := found{src: e.Object}, c.theirs(e.Key)
			for more && err == nil && there.Key < key {
				there, err, more = next()
			}
			if err != nil {
				yield(found{}, fmt.Errorf("destination: %w", err))
				return
			}
			if more && there.Key == key {
				f.dst = new(there.Object) // there is used for the next
			}
			if !yield(f, nil) {
				return
			}
		}
	}
}

// theirs is what a key of the source is in the destination.
func (c *copier) theirs(key string) string { return c.dst.Root + key[len(c.src.Root):] }

// read is layout.Parse for a key that was listed. A key without a place is
// reported, one that belongs to an upload is not.
func (c *copier) read(key string) (layout.Name, bool) {
	n, ok := c.src.Parse(key)
	if !ok && !layout.IsHidden(key) {
		c.tell(Unknown, key, nil)
	}
	return n, ok && n.Kind != layout.Upload
}
