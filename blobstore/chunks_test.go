package blobstore_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/fault"
	"github.com/blobdock/blobdock/driver/mem"
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
		for _, err := range chunks(t, ctx, blob, ranges) {
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
		end      int64 // of a last range without a length
	}{
		{"none", nil, 0, nil, 0},
		{"one that breaks", []driver.Range{at(100, 1000)}, 2, nil, 0},
		{"without gaps", []driver.Range{at(0, 10), at(10, 20), at(30, 29_970)}, 1, nil, 0},
		{"with short gaps", []driver.Range{at(0, 10), at(10+16<<10, 10)}, 1, nil, 0},
		{"with gaps", []driver.Range{at(0, 10), at(11+16<<10, 10), at(21+16<<10, 1), at(40_000, 1), at(60_000, 1), at(80_000, 1), at(100_000, 1), at(119_999, 1)}, 7, nil, 0},
		{"overlapping", []driver.Range{at(0, 10), at(9, 10)}, 0, driver.Invalid, 0},
		{"unsorted", []driver.Range{at(100, 10), at(0, 10)}, 0, driver.Invalid, 0},
		{"to the end", []driver.Range{at(0, 10), at(100_000, 0)}, 2, nil, 120_000},
		{"all", []driver.Range{at(0, 0)}, 1, nil, 120_000},
		{"to the end, and then more", []driver.Range{at(100, 0), at(200, 10)}, 0, driver.Invalid, 0},
		{"to the end, from there", []driver.Range{at(120_000, 0)}, 0, driver.OutOfRange, 0},
		{"negative length", []driver.Range{at(100, -1)}, 0, driver.Invalid, 0},
		{"negative", []driver.Range{at(-1, 2)}, 0, driver.Invalid, 0},
		{"beyond the end", []driver.Range{at(119_999, 2)}, 0, driver.OutOfRange, 0},
	} {
		var got []driver.Range
		all, failed := blob.Chunks(t.Context(), tt.ranges)
		if failed == nil {
			for c, err := range all {
				if failed = err; err != nil {
					break
				}
				got = append(got, c.Range)
				read, err := io.ReadAll(c)
				if err != nil || !bytes.Equal(read, p[c.Off:c.Off+c.Len]) {
					t.Errorf("%s: chunk at %d: %d bytes, %v, which differ", tt.name, c.Off, len(read), err)
				}
			}
		}
		if tt.end > 0 { // that was left open
			tt.ranges[len(tt.ranges)-1].Len = tt.end - tt.ranges[len(tt.ranges)-1].Off
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
		for range chunks(t, t.Context(), blob, ranges) {
			break
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		n := 0
		for _, err := range chunks(t, ctx, blob, ranges) {
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

// TestChunksLong reads a chunk that takes five requests: four of them run at the same time, and
// the fifth when the first is there and is being read.
func TestChunksLong(t *testing.T) {
	p := content(8, 36<<20)
	synctest.Test(t, func(t *testing.T) {
		slow := fault.Wrap(mem.New(), fault.Script{{Op: driver.OpOpen, Key: "*/blobs/*", Where: fault.Before, Delay: time.Second}})
		repo := newRepository(t, newStoreWith(t, slow, blobstore.Options{}), "team/app")
		desc, err := repo.Put(t.Context(), "", p)
		if err != nil {
			t.Fatal(err)
		}
		blob, err := repo.Lookup(t.Context(), desc.Digest)
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		var got []byte
		for c, err := range chunks(t, t.Context(), blob, []driver.Range{{}}) {
			if err == nil {
				got, err = io.ReadAll(c)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(began); took != 2*time.Second || !bytes.Equal(got, p) {
			t.Errorf("%d bytes after %v, want %d after 2s", len(got), took, len(p))
		}
	})
}

// TestChunksUnread leaves chunks half read: the next ones are right all the same.
func TestChunksUnread(t *testing.T) {
	p := content(7, 20<<20)
	repo := newRepository(t, newStoreWith(t, mem.New(), blobstore.Options{}), "team/app")
	desc, err := repo.Put(t.Context(), "", p)
	if err != nil {
		t.Fatal(err)
	}
	blob, err := repo.Lookup(t.Context(), desc.Digest)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for c, err := range chunks(t, t.Context(), blob, []driver.Range{{Off: 0, Len: 10}, {Off: 100, Len: 18 << 20}, {Off: 19 << 20}}) {
		if err != nil {
			t.Fatal(err)
		}
		some := make([]byte, 9)
		if _, err := io.ReadFull(c, some); err != nil || !bytes.Equal(some, p[c.Off:c.Off+9]) {
			t.Errorf("chunk at %d differs, %v", c.Off, err)
		}
		n++
	}
	if n != 3 {
		t.Errorf("%d chunks", n)
	}
}

// chunks are those of a request that is good.
func chunks(t *testing.T, ctx context.Context, b *blobstore.Blob, ranges []driver.Range) iter.Seq2[blobstore.Chunk, error] {
	t.Helper()
	all, err := b.Chunks(ctx, ranges)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// scattered are small ranges with gaps between them that are left out.
func scattered(size int64) (ranges []driver.Range) {
	for off := int64(0); off < size; off += 20_000 {
		ranges = append(ranges, driver.Range{Off: off, Len: 10})
	}
	return ranges
}
