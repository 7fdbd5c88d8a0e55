package driver_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/fault"
	"github.com/blobdock/blobdock/driver/mem"
	"github.com/blobdock/blobdock/driver/meter"
)

// smallParts are limits with which a few bytes make many parts.
var smallParts = driver.PartLimits{MinSize: 4, MaxSize: 16, MaxParts: 100, MaxObject: 1000, MaxPut: 1000}

// withParts is a bucket without Concat that o tunes further.
func withParts(o mem.Options) driver.Bucket {
	if o.Parts == (driver.PartLimits{}) {
		o.Parts = smallParts
	}
	o.NoConcat = true
	return mem.NewWith(o)
}

// texts puts objects s0, s1 and so on, and returns them with their joined content.
func texts(t testing.TB, b driver.Bucket, sizes ...int) (sources []driver.Object, whole string) {
	t.Helper()
	for i, n := range sizes {
		data := strings.Repeat(string(rune('a'+i%26)), n)
		if n > 1 {
			data = data[:n-1] + "|"
		}
		sources = append(sources, put(t, b, fmt.Sprint("s", i), data))
		whole += data
	}
	return sources, whole
}

func TestConcatLayout(t *testing.T) {
	uniform := smallParts
	uniform.Uniform = true
	few := smallParts
	few.MaxParts = 3
	tests := []struct {
		name    string
		options mem.Options
		edit    func(*driver.Features)
		cond    driver.Cond
		sizes   []int
		want    string // calls
		sent    int64  // bytes
	}{
		{name: "one copy", sizes: []int{10}, want: "copy 1\n"},
		{name: "one source above CopyMax", options: mem.Options{CopyMax: 9}, sizes: []int{10}, want: "complete-upload 1\ncopy-part 2\ncreate-upload 1\n"},
		{name: "whole sources", sizes: []int{5, 4, 5, 1}, want: "complete-upload 1\ncopy-part 4\ncreate-upload 1\n"},
		{name: "large sources are split", sizes: []int{40, 5}, want: "complete-upload 1\ncopy-part 9\ncreate-upload 1\n"},
		{name: "a small source borrows", sizes: []int{3, 10, 5}, want: "complete-upload 1\ncopy-part 3\ncreate-upload 1\nopen 2\nput-part 1\n", sent: 4},
		{name: "a small source takes all of the next", sizes: []int{3, 4, 5}, want: "complete-upload 1\ncopy-part 1\ncreate-upload 1\nopen 2\nput-part 1\n", sent: 7},
		{name: "small sources alone", sizes: []int{1, 1, 1}, want: "open 3\nput 1\n", sent: 3},
		{name: "small sources at the end", sizes: []int{5, 1, 1, 1}, want: "complete-upload 1\ncopy-part 1\ncreate-upload 1\nopen 3\nput-part 1\n", sent: 3},
		{name: "a condition that Put does not honour", edit: func(f *driver.Features) { f.Conds.Put = driver.NoCond }, cond: driver.Cond{IfAbsent: true},
			sizes: []int{1, 1}, want: "complete-upload 1\ncreate-upload 1\nopen 2\nput-part 1\n", sent: 2},
		{name: "empty sources are looked at", sizes: []int{0, 5, 0}, want: "copy 1\nstat 2\n"},
		{name: "nothing", want: "put 1\n"},
		{name: "only empty sources", sizes: []int{0}, want: "put 1\nstat 1\n"},
		{name: "more sources than parts", options: mem.Options{Parts: few}, sizes: []int{5, 5, 5, 5, 5}, want: "complete-upload 1\ncopy-part 1\ncreate-upload 1\nopen 4\nput-part 2\n", sent: 20},
		{name: "no part copies", options: mem.Options{NoPartCopy: true}, sizes: []int{6, 4, 5}, want: "complete-upload 1\ncreate-upload 1\nopen 4\nput-part 3\n", sent: 15},
		{name: "no uploads", options: mem.Options{NoUploads: true}, sizes: []int{2, 0, 3}, want: "open 2\nput 1\nstat 1\n", sent: 5},
		{name: "no uploads, one source", options: mem.Options{NoUploads: true}, sizes: []int{50}, want: "copy 1\n"},
		{name: "no part copies, one source", options: mem.Options{NoPartCopy: true, NoCopy: true}, sizes: []int{5}, want: "open 1\nput 1\n", sent: 5},
		{name: "uniform, equal sources", options: mem.Options{Parts: uniform}, sizes: []int{7, 7, 7, 2}, want: "complete-upload 1\ncopy-part 4\ncreate-upload 1\n"},
		{name: "uniform, multiples of the unit", options: mem.Options{Parts: uniform}, sizes: []int{10, 15}, want: "complete-upload 1\ncopy-part 5\ncreate-upload 1\n"},
		{name: "uniform, unequal sources", options: mem.Options{Parts: uniform}, sizes: []int{7, 9, 9}, want: "complete-upload 1\ncopy-part 3\ncreate-upload 1\nopen 2\nput-part 1\n", sent: 7},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			store := withParts(tt.options)
			sources, want := texts(t, store, tt.sizes...)
			if tt.edit == nil {
				tt.edit = func(*driver.Features) {}
			}
			var calls meter.Counter
			b := meter.Wrap(driver.WithFeatures(store, tt.edit), calls.Observe)
			r := driver.ConcatRequest{Key: "dst", Sources: sources, Options: driver.WriteOptions{Cond: tt.cond, SHA256: make([]byte, 32)}}
			obj, err := driver.Concat(t.Context(), b, r, plan)
			if err != nil {
				t.Fatal(err)
			}
			if obj.Key != "dst" || obj.Size != int64(len(want)) || obj.Version == "" {
				t.Errorf("Concat says %+v", obj)
			}
			if calls.String() != tt.want || calls.Total().Sent != tt.sent {
				t.Errorf("calls, and %d bytes sent:\n%swant %d bytes:\n%s", calls.Total().Sent, &calls, tt.sent, tt.want)
			}
			if got := content(t, store, "dst"); got != want {
				t.Errorf("content %q, want %q", got, want)
			}
		})
	}
}

// TestConcatRandom joins random sources on all kinds of stores.
// TestConcatOntoItself joins one object to its own key, which no store copies.
func TestConcatOntoItself(t *testing.T) {
	b := withParts(mem.Options{})
	sources, whole := texts(t, b, 10)
	if _, err := driver.Concat(t.Context(), b, driver.ConcatRequest{Key: sources[0].Key, Sources: sources}, driver.CopyPlan{}); err != nil {
		t.Fatal(err)
	}
	if got := content(t, b, sources[0].Key); got != whole {
		t.Errorf("%q, want %q", got, whole)
	}
}

func TestConcatRandom(t *testing.T) {
	for name, o := range mem.Imitations() {
		for _, native := range []bool{true, false} {
			if !native && o.NoUploads {
				continue // there is no other way
			}
			t.Run(fmt.Sprintf("%s/native=%t", name, native), func(t *testing.T) {
				for seed := range uint64(200) {
					rnd := rand.New(rand.NewPCG(seed, 1))
					o.KeyInterval, o.Parts.MinSize, o.Parts.MaxSize, o.Parts.MaxParts = 0, int64(1+rnd.IntN(6)), int64(12+rnd.IntN(9)), 40
					o.NoConcat = o.NoConcat || !native
					store := mem.NewWith(o)
					sizes := make([]int, rnd.IntN(8))
					for i := range sizes {
						sizes[i] = rnd.IntN(30)
					}
					sources, want := texts(t, store, sizes...)
					p := driver.CopyPlan{PartSize: int64(rnd.IntN(30)), Concurrency: 1 + rnd.IntN(3)}
					if _, err := driver.Concat(t.Context(), store, driver.ConcatRequest{Key: "dst", Sources: sources}, p); err != nil {
						t.Fatalf("seed %d, sizes %v: %v", seed, sizes, err)
					}
					if got := content(t, store, "dst"); got != want {
						t.Fatalf("seed %d, sizes %v: content %q, want %q", seed, sizes, got, want)
					}
					if n := uploads(t, store); n != 0 {
						t.Fatalf("seed %d: %d uploads left", seed, n)
					}
				}
			})
		}
	}
}

func TestConcatRefuses(t *testing.T) {
	absent := driver.WriteOptions{Cond: driver.Cond{IfAbsent: true}}
	for _, tt := range []struct {
		name    string
		edit    func(*driver.Features)
		sources []driver.Object
		o       driver.WriteOptions
		want    driver.Kind
	}{
		{name: "too large", sources: []driver.Object{{Key: "s0", Size: 600}, {Key: "s0", Size: 600}}, want: driver.Invalid},
		{name: "sizes that overflow", sources: []driver.Object{{Key: "s0", Size: 1<<63 - 1}, {Key: "s0", Size: 1<<63 - 1}}, want: driver.Invalid},
		{name: "negative size", sources: []driver.Object{{Key: "s0", Size: -1}}, want: driver.Invalid},
		{name: "version without ETag", sources: []driver.Object{{Key: "s0", Size: 5, Version: "1"}}, want: driver.Unsupported},
		{name: "condition", edit: func(f *driver.Features) { f.Conds.Complete = driver.CondIfMatch },
			sources: []driver.Object{{Key: "s0", Size: 5}}, o: absent, want: driver.Unsupported},
		{name: "no uploads and more than a part", edit: func(f *driver.Features) { f.Uploads, f.CopyPart = nil, nil },
			sources: []driver.Object{{Key: "s0", Size: 5}, {Key: "s1", Size: 1}}, want: driver.Unsupported},
		{name: "no uploads, condition", edit: func(f *driver.Features) { f.Uploads, f.CopyPart, f.Conds.Put = nil, nil, driver.NoCond },
			sources: []driver.Object{{Key: "s0", Size: 5}}, o: absent, want: driver.Unsupported},
		{name: "condition on a native Concat", edit: func(f *driver.Features) {
			f.Concat = func(context.Context, driver.ConcatRequest) (driver.Object, error) { return driver.Object{}, nil }
		}, sources: []driver.Object{{Key: "s0", Size: 5}}, o: absent, want: driver.Unsupported},
	} {
		var calls meter.Counter
		if tt.edit == nil {
			tt.edit = func(*driver.Features) {}
		}
		b := meter.Wrap(driver.WithFeatures(withParts(mem.Options{}), tt.edit), calls.Observe)
		_, err := driver.Concat(t.Context(), b, driver.ConcatRequest{Key: "dst", Sources: tt.sources, Options: tt.o}, plan)
		if driver.KindOf(err) != tt.want || calls.Total().Calls != 0 {
			t.Errorf("%s: got %v and %d calls, want %v and none", tt.name, err, calls.Total().Calls, tt.want)
		}
	}
}

// TestConcatChangedSources checks each way to read a source.
func TestConcatChangedSources(t *testing.T) {
	for name, sizes := range map[string][]int{"copy": {10}, "part copies": {10, 10}, "streamed": {3, 3}, "empty": {0, 10}} {
		for _, pinned := range []bool{true, false} {
			store := withParts(mem.Options{})
			sources, _ := texts(t, store, sizes...)
			put(t, store, "s0", strings.Repeat("x", sizes[0]+1))
			if !pinned {
				sources[0].ETag, sources[0].Version = "", "" // the size still tells
			}
			_, err := driver.Concat(t.Context(), store, driver.ConcatRequest{Key: "dst", Sources: sources}, plan)
			if driver.KindOf(err) != driver.Mismatch || driver.OutcomeUnknown(err) {
				t.Errorf("%s, pinned %t: changed source: %v", name, pinned, err)
			}
			if err := store.Delete(t.Context(), "s0", driver.DeleteOptions{}); err != nil {
				t.Fatal(err)
			}
			_, err = driver.Concat(t.Context(), store, driver.ConcatRequest{Key: "dst", Sources: sources}, plan)
			if driver.KindOf(err) != driver.NotFound {
				t.Errorf("%s, pinned %t: missing source: %v", name, pinned, err)
			}
			if _, err := store.Stat(t.Context(), "dst"); !errors.Is(err, driver.NotFound) || uploads(t, store) != 0 {
				t.Errorf("%s: %v, %d uploads left", name, err, uploads(t, store))
			}
		}
	}
}

// TestConcatFailing fails at every call: what was there stays intact, and no upload
// is left but where its fate is unknown.
func TestConcatFailing(t *testing.T) {
	var store driver.Bucket
	var sources []driver.Object
	var whole string
	fault.EachPoint(t, func() driver.Bucket {
		store = withParts(mem.Options{})
		sources, whole = texts(t, store, 10, 2, 9, 5, 0)
		put(t, store, "dst", "old")
		return store
	}, func(b driver.Bucket) error {
		_, err := driver.Concat(context.Background(), b, driver.ConcatRequest{Key: "dst", Sources: sources}, driver.CopyPlan{PartSize: 16})
		return err
	}, func(t *testing.T, b driver.Bucket, p fault.Point, err error) {
		if !errors.Is(err, fault.ErrInjected) {
			t.Errorf("got %v, want the injected fault", err)
		}
		want, left := "old", 0
		if p.Op == driver.OpCompleteUpload && p.Failure.Rule.Where == fault.After {
			want = whole
		}
		if p.Op == driver.OpCreateUpload && p.Failure.Rule.Where == fault.After {
			left = 1 // its id was lost with the answer
		}
		if got := content(t, b, "dst"); got != want || uploads(t, b) != left {
			t.Errorf("dst holds %q and %d uploads are left, want %q and %d", got, uploads(t, b), want, left)
		}
		for _, s := range sources {
			if _, err := b.Stat(context.Background(), s.Key); err != nil {
				t.Errorf("source: %v", err)
			}
		}
	})
}

// TestConcatBuffer counts what is borrowed, and what is given back.
func TestConcatBuffer(t *testing.T) {
	store := withParts(mem.Options{})
	sources, want := texts(t, store, 3, 3, 3, 3, 3, 3, 3)
	var lent, most, taken atomic.Int64
	p := driver.CopyPlan{PartSize: 5, Concurrency: 2, Buffer: func(_ context.Context, n int64) ([]byte, func(), error) {
		most.Store(max(most.Load(), lent.Add(n)))
		taken.Add(1)
		return make([]byte, n+100), func() { lent.Add(-n) }, nil
	}}
	if _, err := driver.Concat(t.Context(), store, driver.ConcatRequest{Key: "dst", Sources: sources}, p); err != nil {
		t.Fatal(err)
	}
	if got := content(t, store, "dst"); got != want {
		t.Errorf("content %q, want %q", got, want)
	}
	if lent.Load() != 0 || taken.Load() < 3 || most.Load() > 2*8 {
		t.Errorf("%d bytes never given back, %d buffers, %d bytes at once", lent.Load(), taken.Load(), most.Load())
	}
	p.Buffer = func(context.Context, int64) ([]byte, func(), error) { return nil, nil, io.ErrShortBuffer }
	if _, err := driver.Concat(t.Context(), store, driver.ConcatRequest{Key: "dst", Sources: sources}, p); !errors.Is(err, io.ErrShortBuffer) || uploads(t, store) != 0 {
		t.Errorf("without a buffer: %v, %d uploads left", err, uploads(t, store))
	}
}
