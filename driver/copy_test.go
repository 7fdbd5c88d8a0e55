package driver_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/fault"
	"github.com/blobdock/blobdock/driver/mem"
	"github.com/blobdock/blobdock/driver/meter"
)

// small is a store whose parts are tiny.
func small() driver.Bucket {
	return mem.NewWith(mem.Options{Parts: smallParts})
}

// inParts is b without Copy.
func inParts(b driver.Bucket) driver.Bucket {
	return driver.WithFeatures(b, func(f *driver.Features) { f.Copy = nil })
}

func put(t testing.TB, b driver.Bucket, key, data string) driver.Object {
	t.Helper()
	obj, err := b.Put(t.Context(), key, io.NewSectionReader(bytes.NewReader([]byte(data)), 0, int64(len(data))), driver.WriteOptions{ContentType: "text/plain"})
	if err != nil {
		t.Fatalf("Put(%q): %v", key, err)
	}
	return obj
}

func content(t testing.TB, b driver.Bucket, key string) string {
	t.Helper()
	rd, err := b.Open(t.Context(), key, driver.Range{}, driver.ReadOptions{})
	if err != nil {
		t.Fatalf("Open(%q): %v", key, err)
	}
	defer func() { _ = rd.Close() }()
	data, err := io.ReadAll(rd)
	if err != nil {
		t.Fatalf("read %q: %v", key, err)
	}
	return string(data)
}

func uploads(t testing.TB, b driver.Bucket) (n int) {
	t.Helper()
	for _, err := range driver.ListUploads(t.Context(), b, driver.ListRequest{}) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	return n
}

var plan = driver.CopyPlan{PartSize: 5, Concurrency: 3}

// dropped has uploads lose their parts at the first n completions, as on Azure when another
// writer was faster.
type dropped struct {
	driver.Uploads
	n    atomic.Int32
	kind driver.Kind
}

func (d *dropped) CompleteUpload(ctx context.Context, u driver.Upload, parts []driver.Part, c driver.Cond) (driver.Object, error) {
	if d.n.Add(-1) >= 0 {
		return driver.Object{}, driver.NewError(driver.OpCompleteUpload, u.Key, d.kind)
	}
	return d.Uploads.CompleteUpload(ctx, u, parts, c)
}

func TestCopyDroppedParts(t *testing.T) {
	for _, tt := range []struct {
		drops int32
		kind  driver.Kind
		cond  driver.Cond
		want  driver.Kind // Unknown is success
	}{
		{1, driver.NotFound, driver.Cond{}, driver.Unknown},
		{7, driver.Mismatch, driver.Cond{}, driver.Unknown},
		{8, driver.NotFound, driver.Cond{}, driver.NotFound},
		{1, driver.NotFound, driver.Cond{IfAbsent: true}, driver.NotFound},
		{1, driver.Denied, driver.Cond{}, driver.Denied},
	} {
		b := inParts(small())
		d := &dropped{Uploads: b.Features().Uploads, kind: tt.kind}
		d.n.Store(tt.drops)
		b = driver.WithFeatures(b, func(f *driver.Features) { f.Uploads = d })
		src := put(t, b, "src", "seventeen letters")
		_, err := driver.Copy(t.Context(), b, driver.Source{Key: "src", ETag: src.ETag}, 17, "dst", driver.WriteOptions{Cond: tt.cond}, plan)
		if driver.KindOf(err) != tt.want || uploads(t, b) != 0 {
			t.Errorf("%+v: %v, %d uploads are left", tt, err, uploads(t, b))
		}
		if tt.want == driver.Unknown && content(t, b, "dst") != "seventeen letters" {
			t.Errorf("%+v: another content", tt)
		}
	}
}

func TestCopyChoosesTheWay(t *testing.T) {
	const text = "seventeen letters"
	for _, tt := range []struct {
		name string
		edit func(*driver.Features)
		want string
	}{
		{"one request", func(*driver.Features) {}, "copy 1\n"},
		{"up to CopyMax", func(f *driver.Features) { f.CopyMax = 17 }, "copy 1\n"},
		{"beyond CopyMax", func(f *driver.Features) { f.CopyMax = 16 }, "complete-upload 1\ncopy-part 4\ncreate-upload 1\n"},
		{"no Copy", func(f *driver.Features) { f.Copy = nil }, "complete-upload 1\ncopy-part 4\ncreate-upload 1\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			store := small()
			src := put(t, store, "src", text)
			var calls meter.Counter
			b := meter.Wrap(driver.WithFeatures(store, tt.edit), calls.Observe)
			obj, err := driver.Copy(t.Context(), b, driver.Source{Key: "src", ETag: src.ETag}, src.Size, "dst", driver.WriteOptions{}, plan)
			if err != nil || obj.Key != "dst" || obj.Size != src.Size {
				t.Errorf("Copy: %+v, %v", obj, err)
			}
			if got := content(t, store, "dst"); got != text {
				t.Errorf("copied %q", got)
			}
			if calls.String() != tt.want {
				t.Errorf("calls:\n%swant:\n%s", &calls, tt.want)
			}
		})
	}
}

func TestCopyRefuses(t *testing.T) {
	store := small()
	put(t, store, "src", "some text")
	src := driver.Source{Key: "src"}
	absent := driver.WriteOptions{Cond: driver.Cond{IfAbsent: true}}
	for _, tt := range []struct {
		name string
		edit func(*driver.Features)
		size int64
		o    driver.WriteOptions
		want driver.Kind
	}{
		{"neither way", func(f *driver.Features) { f.Copy, f.CopyPart = nil, nil }, 9, driver.WriteOptions{}, driver.Unsupported},
		{"no condition on Copy", func(f *driver.Features) { f.Conds.Copy = driver.NoCond }, 9, absent, driver.Unsupported},
		{"no condition on Complete", func(f *driver.Features) { f.Copy = nil; f.Conds.Complete = driver.CondIfMatch }, 9, absent, driver.Unsupported},
		{"too large", func(f *driver.Features) { f.Copy = nil }, 1001, driver.WriteOptions{}, driver.Invalid},
	} {
		var calls meter.Counter
		b := meter.Wrap(driver.WithFeatures(store, tt.edit), calls.Observe)
		_, err := driver.Copy(t.Context(), b, src, tt.size, "dst", tt.o, plan)
		if driver.KindOf(err) != tt.want {
			t.Errorf("%s: got %v, want %v", tt.name, err, tt.want)
		}
		if calls.Total().Calls != 0 {
			t.Errorf("%s: made calls:\n%s", tt.name, &calls)
		}
	}
}

func TestCopyInPartsCondition(t *testing.T) {
	store := small()
	src := put(t, store, "src", "some longer text")
	put(t, store, "dst", "old")
	o := driver.WriteOptions{Cond: driver.Cond{IfAbsent: true}, SHA256: make([]byte, 32)}
	_, err := driver.Copy(t.Context(), inParts(store), driver.Source{Key: "src"}, src.Size, "dst", o, plan)
	if !errors.Is(err, driver.Exists) || content(t, store, "dst") != "old" || uploads(t, store) != 0 {
		t.Errorf("%v, content %q, %d uploads left", err, content(t, store, "dst"), uploads(t, store))
	}
}

func TestCopyEmptyInParts(t *testing.T) {
	store := small()
	src := put(t, store, "src", "")
	obj, err := driver.Copy(t.Context(), inParts(store), driver.Source{Key: "src", ETag: src.ETag}, 0, "dst", driver.WriteOptions{}, plan)
	if err != nil || obj.ContentType != "text/plain" || content(t, store, "dst") != "" {
		t.Errorf("Copy: %+v, %v", obj, err)
	}
	put(t, store, "src", "no longer")
	for _, s := range []driver.Source{{Key: "src"}, {Key: "src", ETag: src.ETag}} {
		if _, err := driver.Copy(t.Context(), inParts(store), s, 0, "dst", driver.WriteOptions{}, plan); !errors.Is(err, driver.Mismatch) {
			t.Errorf("Copy of what has grown: %v", err)
		}
	}
}

// TestCopyInPartsParallel checks how many part copies are under way at once.
func TestCopyInPartsParallel(t *testing.T) {
	store := small()
	src := put(t, store, "src", string(bytes.Repeat([]byte("x"), 100)))
	var now, most atomic.Int64
	b := driver.Wrap(inParts(store), func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
		if c.Op == driver.OpCopyPart {
			most.Store(max(most.Load(), now.Add(1)))
			defer now.Add(-1)
			time.Sleep(5 * time.Millisecond)
		}
		return next(ctx)
	})
	if _, err := driver.Copy(t.Context(), b, driver.Source{Key: "src"}, src.Size, "dst", driver.WriteOptions{}, plan); err != nil {
		t.Fatal(err)
	}
	if got := most.Load(); got < 2 || got > 3 {
		t.Errorf("%d part copies at once, want 2 or 3", got)
	}
}

// TestCopyFailing fails a copy in parts at every call: what was there stays
// intact, and no upload is left but where its fate is unknown.
func TestCopyFailing(t *testing.T) {
	const text = "text of several parts"
	var store driver.Bucket
	fault.EachPoint(t, func() driver.Bucket {
		store = small()
		put(t, store, "src", text)
		put(t, store, "dst", "old")
		return inParts(store)
	}, func(b driver.Bucket) error {
		_, err := driver.Copy(context.Background(), b, driver.Source{Key: "src"}, int64(len(text)), "dst", driver.WriteOptions{}, driver.CopyPlan{PartSize: 5})
		return err
	}, func(t *testing.T, b driver.Bucket, p fault.Point, err error) {
		if !errors.Is(err, fault.ErrInjected) {
			t.Errorf("got %v, want the injected fault", err)
		}
		want := "old"
		if p.Op == driver.OpCompleteUpload && p.Failure.Rule.Where == fault.After {
			want = text
		}
		if got := content(t, b, "dst"); got != want {
			t.Errorf("dst holds %q, want %q", got, want)
		}
		left := 0
		if p.Op == driver.OpCreateUpload && p.Failure.Rule.Where == fault.After {
			left = 1 // its id was lost with the answer
		}
		if got := uploads(t, b); got != left {
			t.Errorf("%d uploads left, want %d", got, left)
		}
	})
}

// TestCopyCancelled checks that the upload is aborted though the context has ended.
func TestCopyCancelled(t *testing.T) {
	store := small()
	src := put(t, store, "src", "text of several parts")
	ctx, cancel := context.WithCancel(t.Context())
	b := driver.Wrap(inParts(store), func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
		if c.Part == 2 {
			cancel()
		}
		return next(ctx)
	})
	_, err := driver.Copy(ctx, b, driver.Source{Key: "src"}, src.Size, "dst", driver.WriteOptions{}, plan)
	if !errors.Is(err, context.Canceled) || uploads(t, store) != 0 {
		t.Errorf("got %v, %d uploads left", err, uploads(t, store))
	}
}

// TestCopyAbortHangs has a store that does not answer the abort of an upload that failed.
// The copy ends soon after its context has.
func TestCopyAbortHangs(t *testing.T) {
	for _, tt := range []struct {
		name  string
		early bool // the context has ended before the abort
		most  time.Duration
	}{
		{"context ends meanwhile", false, 0},
		{"context has ended", true, time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := small()
				src := put(t, store, "src", "text of several parts")
				ctx, cancel := context.WithCancel(t.Context())
				var ended time.Time
				end := func() { ended = time.Now(); cancel() }
				b := driver.Wrap(inParts(store), func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
					switch {
					case c.Part == 2 && tt.early:
						end()
					case c.Part == 2:
						return driver.NewError(c.Op, c.Key, driver.Unavailable)
					case c.Op == driver.OpAbortUpload:
						if !tt.early {
							time.AfterFunc(time.Minute, end)
						}
						<-ctx.Done()
						return driver.NewError(c.Op, c.Key, ctx.Err())
					}
					return next(ctx)
				})
				_, err := driver.Copy(ctx, b, driver.Source{Key: "src"}, src.Size, "dst", driver.WriteOptions{}, plan)
				if late := time.Since(ended); err == nil || ended.IsZero() || late > tt.most {
					t.Errorf("got %v, %v after the context had ended, want at most %v", err, late, tt.most)
				}
			})
		})
	}
}

func TestDeleteAll(t *testing.T) {
	for _, tt := range []struct {
		keys  int
		batch int
		want  string
	}{
		{0, 2, ""}, {1, 2, "delete 1\n"}, {2, 2, "delete-batch 1\n"}, {5, 2, "delete-batch 3\n"}, {3, 0, "delete 3\n"},
	} {
		t.Run(fmt.Sprintf("%d keys in batches of %d", tt.keys, tt.batch), func(t *testing.T) {
			store := mem.New()
			var calls meter.Counter
			b := meter.Wrap(driver.WithFeatures(store, func(f *driver.Features) {
				if f.BatchMax = tt.batch; tt.batch == 0 {
					f.DeleteBatch = nil
				}
			}), calls.Observe)
			var keys []string
			for i := range tt.keys {
				keys = append(keys, fmt.Sprint("key", i))
				put(t, store, keys[i], "x")
			}
			put(t, store, "other", "x")
			given := slices.Clone(keys)
			if err := driver.DeleteAll(t.Context(), b, driver.Refs(keys...)); err != nil {
				t.Fatal(err)
			}
			if calls.String() != tt.want {
				t.Errorf("calls:\n%swant:\n%s", &calls, tt.want)
			}
			if !slices.Equal(given, keys) {
				t.Error("the caller's keys were changed")
			}
			var left []string
			for e, err := range driver.List(t.Context(), store, driver.ListRequest{}) {
				if err != nil {
					t.Fatal(err)
				}
				left = append(left, e.Key)
			}
			if !slices.Equal(left, []string{"other"}) {
				t.Errorf("left %q", left)
			}
		})
	}
	failing := fault.Wrap(mem.New(), fault.Script{{Op: driver.OpDelete, Nth: 2}})
	without := driver.WithFeatures(failing, func(f *driver.Features) { f.DeleteBatch = nil })
	if err := driver.DeleteAll(t.Context(), without, driver.Refs("a", "b", "c")); !errors.Is(err, fault.ErrInjected) {
		t.Errorf("DeleteAll: %v", err)
	}
}
