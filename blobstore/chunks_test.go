package blobstore_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/fault"
	"github.com/blobdock/blobdock/driver/meter"
)

// TestChunksTellTheEnd end the context while chunks are under way: not all come,
// and that is said.
func TestChunksTellTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		repo, d := serving(t, newBucket(t), blobstore.Options{}, content(6, 600_000))
		blob, err := repo.Lookup(t.Context(), d)
		if err != nil {
			t.Fatal(err)
		}
		ranges := scattered(600_000)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		n := 0
		var failed error
		for _, err := range blob.Chunks(ctx, ranges) {
			if failed = err; err != nil {
				break
			}
			n++
			synctest.Wait() // what is under way has landed
			cancel()
		}
		if n < len(ranges) && !errors.Is(failed, context.Canceled) {
			t.Errorf("%d of %d chunks, and %v", n, len(ranges), failed)
		}
	})
}

func TestChunks(t *testing.T) {
	p := content(5, 120_000)
	var calls meter.Counter
	repo, d := serving(t, meter.Wrap(breaking(newBucket(t), 500, 1), calls.Observe), blobstore.Options{}, p)
	blob, err := repo.Lookup(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	calls.Reset()
	at := func(off, n int64) driver.Range { return driver.Range{Off: off, Len: n} }
	for _, tt := range []struct {
		name     string
		ranges   []driver.Range
		requests int64 // without the one that breaks
		err      error
	}{
		{"none", nil, 0, nil},
		{"one that breaks", []driver.Range{at(100, 1000)}, 2, nil},
		{"without gaps", []driver.Range{at(0, 10), at(10, 20), at(30, 29_970)}, 1, nil},
		{"with short gaps", []driver.Range{at(0, 10), at(10+16<<10, 10)}, 1, nil},
		{"with gaps", []driver.Range{at(0, 10), at(11+16<<10, 10), at(21+16<<10, 1), at(40_000, 1), at(60_000, 1), at(80_000, 1), at(100_000, 1), at(119_999, 1)}, 7, nil},
		{"overlapping", []driver.Range{at(0, 10), at(9, 10)}, 0, driver.Invalid},
		{"unsorted", []driver.Range{at(100, 10), at(0, 10)}, 0, driver.Invalid},
		{"without length", []driver.Range{at(100, 0)}, 0, driver.Invalid},
		{"negative", []driver.Range{at(-1, 2)}, 0, driver.Invalid},
		{"beyond the end", []driver.Range{at(119_999, 2)}, 0, driver.OutOfRange},
	} {
		var got []driver.Range
		var failed error
		for c, err := range blob.Chunks(t.Context(), tt.ranges) {
			if failed = err; err != nil {
				break
			}
			got = append(got, c.Range)
			if !bytes.Equal(c.Data, p[c.Off:c.Off+c.Len]) {
				t.Errorf("%s: chunk at %d differs", tt.name, c.Off)
			}
		}
		if !errors.Is(failed, tt.err) || tt.err == nil && !slices.Equal(got, tt.ranges) {
			t.Errorf("%s: %v and %v, want %v and %v", tt.name, got, failed, tt.ranges, tt.err)
		}
		if n := requests(&calls)[driver.OpOpen]; n != tt.requests {
			t.Errorf("%s: %d requests, want %d", tt.name, n, tt.requests)
		}
	}
}

// One who stops early, or whose context ends, leaves nothing behind.
func TestChunksStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := fault.Wrap(newBucket(t), fault.Script{{Op: driver.OpOpen, Key: "*/blobs/*", Where: fault.Before, Delay: time.Second, Kind: driver.Denied, Nth: 3}})
		repo, d := serving(t, b, blobstore.Options{}, content(6, 600_000))
		blob, err := repo.Lookup(t.Context(), d)
		if err != nil {
			t.Fatal(err)
		}
		ranges := scattered(600_000)
		for range blob.Chunks(t.Context(), ranges) {
			break
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		n := 0
		for _, err := range blob.Chunks(ctx, ranges) {
			if n++; n == 2 {
				cancel()
			}
			if err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, driver.Denied) {
				t.Errorf("got %v", err)
			}
		}
		if n > 6 {
			t.Errorf("%d chunks came after the context had ended", n-2)
		}
		// synctest fails the test for a goroutine that is left.
	})
}

// scattered are small ranges with gaps between them that are left out.
func scattered(size int64) (ranges []driver.Range) {
	for off := int64(0); off < size; off += 20_000 {
		ranges = append(ranges, driver.Range{Off: off, Len: 10})
	}
	return ranges
}
