package registry_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/mem"
	"github.com/blobdock/blobdock/registry"
)

// newDriver makes a storage driver on b.
func newDriver(t testing.TB, b driver.Bucket) *registry.Driver {
	t.Helper()
	s, err := blobstore.New(b, blobstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return registry.NewDriver(s)
}

// TestMove moves a file on the imitation of each store. The replies to one call, whichever,
// may be lost: a Move that reports success has taken effect, and one whose source is gone
// reports success.
func TestMove(t *testing.T) {
	const from, to = "/docker/registry/v2/repositories/app/_uploads/1/other", "/docker/registry/v2/blobs/sha256/aa/aabb/other"
	for name, o := range mem.Imitations() {
		o.KeyInterval = 0
		for nth := range 4 {
			t.Run(fmt.Sprintf("%s/%d", name, nth), func(t *testing.T) {
				b := mem.NewWith(o)
				if err := newDriver(t, b).PutContent(t.Context(), from, []byte("text")); err != nil {
					t.Fatal(err)
				}
				calls := 0
				lossy := driver.Wrap(b, func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
					err := next(ctx)
					if calls++; calls == nth && err == nil && c.Op.Changes() {
						return &driver.Error{Op: c.Op, Key: c.Key, Kind: driver.Unavailable, OutcomeUnknown: true}
					}
					return err
				})
				err := newDriver(t, lossy).Move(t.Context(), from, to)
				_, gone := newDriver(t, b).Stat(t.Context(), from)
				got, there := newDriver(t, b).GetContent(t.Context(), to)
				if nth == 0 && err != nil || err == nil && (gone == nil || string(got) != "text") || err != nil && gone != nil {
					t.Errorf("Move: %v, source %v, destination %q, %v", err, gone, got, there)
				}
			})
		}
	}
}
