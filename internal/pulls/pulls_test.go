package pulls_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/mem"
	"github.com/blobdock/blobdock/internal/layout"
	"github.com/blobdock/blobdock/internal/pulls"
)

var l = layout.Layout{Root: layout.DefaultRoot}

func read(t *testing.T, b driver.Bucket) pulls.Record {
	t.Helper()
	r, err := pulls.Read(t.Context(), b, l)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func objects(t *testing.T, b driver.Bucket) (n int) {
	t.Helper()
	for _, err := range driver.List(t.Context(), b, driver.ListRequest{Prefix: l.Pulls()}) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	return n
}

func flush(t *testing.T, r *pulls.Recorder) {
	t.Helper()
	if err := r.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestRecord has two registries record, the later pull count, and many objects become one that
// says the same.
func TestRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := mem.New()
		if got := read(t, b); !got.Since.IsZero() || !got.Pulled("app", "v1").IsZero() {
			t.Errorf("before anybody records: %+v", got)
		}
		began := time.Now()
		one, two := pulls.NewRecorder(b, l), pulls.NewRecorder(b, l)
		flush(t, one)
		flush(t, one) // has nothing to say
		if n := objects(t, b); n != 1 {
			t.Errorf("%d objects, want the one that tells since when", n)
		}
		time.Sleep(48 * time.Hour)
		for i := range 20 {
			one.Note("app", "v1")
			two.Note("app", fmt.Sprintf("v%d", i))
			flush(t, one)
			flush(t, two)
			time.Sleep(time.Hour)
		}
		before, n := read(t, b), objects(t, b)
		if err := pulls.Compact(t.Context(), b, l); err != nil {
			t.Fatal(err)
		}
		after := read(t, b)
		if objects(t, b) != 1 || n < 40 {
			t.Errorf("%d objects of %d, want 1", objects(t, b), n)
		}
		last := began.Add(67 * time.Hour).Truncate(time.Hour)
		for _, r := range []pulls.Record{before, after} {
			if !r.Since.Equal(began) || !r.Pulled("app", "v1").Equal(last) || r.Pulled("app", "v1", "v7").Before(last) || len(r.Last["app"]) != 20 {
				t.Errorf("%+v, want v1 at %v, since %v", r, last, began)
			}
			if !r.Pulled("other", "v1").IsZero() || !r.Pulled("app", "none").IsZero() {
				t.Error("what nobody has pulled was pulled")
			}
		}
		time.Sleep(pulls.MaxAge)
		if got := read(t, b); len(got.Last["app"]) != 0 || !got.Since.Equal(began) {
			t.Errorf("after the longest age: %+v", got)
		}
	})
}

// TestFlushFails keeps what was noted for the next Flush.
func TestFlushFails(t *testing.T) {
	fails := true
	inner := mem.New()
	b := driver.Wrap(inner, func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
		if fails && c.Op == driver.OpPut {
			return &driver.Error{Op: c.Op, Key: c.Key, Kind: driver.Unavailable}
		}
		return next(ctx)
	})
	r := pulls.NewRecorder(b, l)
	r.Note("app", "v1")
	if err := r.Flush(t.Context()); !errors.Is(err, driver.Unavailable) {
		t.Errorf("Flush: %v", err)
	}
	fails = false
	flush(t, r)
	if read(t, inner).Pulled("app", "v1").IsZero() {
		t.Error("the pull is forgotten")
	}
}

// TestDamaged tells which object it is: a policy must not take it for no pull.
func TestDamaged(t *testing.T) {
	b := mem.New()
	const text = "damaged"
	if _, err := b.Put(t.Context(), l.Pulls()+"x", io.NewSectionReader(strings.NewReader(text), 0, int64(len(text))), driver.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := pulls.Read(t.Context(), b, l); !errors.Is(err, driver.Corrupt) || !strings.Contains(err.Error(), "_pulls/x") {
		t.Errorf("Read: %v", err)
	}
}

// TestFull asks for a flush before memory is full of pulls.
func TestFull(t *testing.T) {
	r := pulls.NewRecorder(mem.New(), l)
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range 15_000 {
				r.Note("app", fmt.Sprint(w, "-", i))
			}
		})
	}
	wg.Wait()
	select {
	case <-r.Full:
	default:
		t.Error("60,000 pulls are pending, and nobody asks for a flush")
	}
}
