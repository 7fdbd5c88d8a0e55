package gcs_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/gcs"
)

func section(data string) *io.SectionReader {
	return io.NewSectionReader(strings.NewReader(data), 0, int64(len(data)))
}

func content(t *testing.T, b driver.Bucket, key string) string {
	t.Helper()
	rd, err := b.Open(t.Context(), key, driver.Range{}, driver.ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rd.Close() }()
	got, err := io.ReadAll(rd)
	if err != nil {
		t.Fatal(err)
	}
	return string(got)
}

// TestManyParts is about the tree of composes: what it makes, what it costs, and
// that nothing stays.
func TestManyParts(t *testing.T) {
	for _, tt := range []struct{ parts, composes, batches int }{
		{1, 1, 0}, {31, 1, 0}, {32, 2, 1}, {33, 3, 1}, {64, 3, 1}, {1000, 34, 11}, // 1000: 32 groups, 1 of those, the object
	} {
		t.Run(fmt.Sprint(tt.parts), func(t *testing.T) {
			f := newFake(t, "bucket")
			b := open(t, gcs.Config{Bucket: "bucket", Endpoint: f.URL, Anonymous: true})
			u, err := b.CreateUpload(t.Context(), "dir/key", driver.WriteOptions{})
			if err != nil {
				t.Fatal(err)
			}
			var parts []driver.Part
			var want strings.Builder
			for n := range tt.parts {
				text := fmt.Sprintf("part %d;", n+1)
				want.WriteString(text)
				p, err := b.PutPart(t.Context(), u, n+1, section(text))
				if err != nil {
					t.Fatal(err)
				}
				parts = append(parts, p)
			}
			f.log = nil
			obj, err := b.Features().Retarget(t.Context(), u, parts, "other", driver.Cond{IfAbsent: true})
			if err != nil {
				t.Fatal(err)
			}
			var composes, batches int
			for _, line := range f.log {
				switch {
				case strings.HasSuffix(line, "/compose"):
					composes++
				case line == "POST /batch/storage/v1":
					batches++
				}
			}
			if composes != tt.composes || batches != tt.batches || len(f.log) != composes+batches {
				t.Errorf("cost %d composes, %d batches, %d requests; want %d and %d", composes, batches, len(f.log), tt.composes, tt.batches)
			}
			if got := content(t, b, "other"); got != want.String() || obj.Size != int64(len(got)) {
				t.Errorf("got %d bytes %.40q, want %d", len(got), got, want.Len())
			}
			if got := f.names("bucket"); !slices.Equal(got, []string{"other"}) {
				t.Errorf("left behind: %q", got)
			}
		})
	}
}

// TestFailedTree completes after a completion that found a part changed.
func TestFailedTree(t *testing.T) {
	f := newFake(t, "bucket")
	b := open(t, gcs.Config{Bucket: "bucket", Endpoint: f.URL, Anonymous: true})
	u, err := b.CreateUpload(t.Context(), "key", driver.WriteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var parts []driver.Part
	for n := range 40 {
		p, err := b.PutPart(t.Context(), u, n+1, section("x"))
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, p)
	}
	again, err := b.PutPart(t.Context(), u, 7, section("y"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.CompleteUpload(t.Context(), u, parts, driver.Cond{}); driver.KindOf(err) != driver.Mismatch || driver.MayHave(err) {
		t.Errorf("with a part that changed: %v, want Mismatch", err)
	}
	parts[6] = again
	if _, err := b.CompleteUpload(t.Context(), u, parts, driver.Cond{}); err != nil {
		t.Fatal(err)
	}
	if got, want := content(t, b, "key"), strings.Repeat("x", 6)+"y"+strings.Repeat("x", 33); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	// What the first attempt joined is left, for the sweeper to find.
	var left []driver.Upload
	for u, err := range driver.ListUploads(t.Context(), b, driver.ListRequest{}) {
		if err != nil {
			t.Fatal(err)
		}
		left = append(left, u)
		if err := b.AbortUpload(t.Context(), u); err != nil {
			t.Fatal(err)
		}
	}
	if len(left) > 1 || len(left) == 1 && left[0].ID != u.ID {
		t.Errorf("UploadsPage shows %+v", left)
	}
	if got := f.names("bucket"); !slices.Equal(got, []string{"key"}) {
		t.Errorf("left behind: %q", got)
	}
}

// TestUnnamedPart is left by a completion that does not name it, and found.
func TestUnnamedPart(t *testing.T) {
	f := newFake(t, "bucket")
	b := open(t, gcs.Config{Bucket: "bucket", Prefix: "p", Endpoint: f.URL, Anonymous: true})
	u, _ := b.CreateUpload(t.Context(), "a-b/c!d", driver.WriteOptions{})
	one, err := b.PutPart(t.Context(), u, 1, section("one"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.PutPart(t.Context(), u, 2, section("two")); err != nil {
		t.Fatal(err)
	}
	if _, err := b.CompleteUpload(t.Context(), u, []driver.Part{one}, driver.Cond{}); err != nil {
		t.Fatal(err)
	}
	page, err := b.UploadsPage(t.Context(), driver.ListRequest{Prefix: "a-b/"})
	if err != nil || len(page.Items) != 1 || page.Items[0] != u {
		t.Fatalf("UploadsPage = %+v, %v, want %+v", page, err, u)
	}
	if err := b.AbortUpload(t.Context(), page.Items[0]); err != nil {
		t.Fatal(err)
	}
	if got := f.names("bucket"); !slices.Equal(got, []string{"p/a-b/c!d"}) {
		t.Errorf("left behind: %q", got)
	}
}

// TestLatePart is taken away when the upload was aborted meanwhile.
func TestLatePart(t *testing.T) {
	f := newFake(t, "bucket")
	b := open(t, gcs.Config{Bucket: "bucket", Endpoint: f.URL, Anonymous: true})
	u, _ := b.CreateUpload(t.Context(), "key", driver.WriteOptions{})
	if err := b.AbortUpload(t.Context(), u); err != nil {
		t.Fatal(err)
	}
	if _, err := b.PutPart(t.Context(), u, 1, section("late")); !errors.Is(err, driver.NotFound) {
		t.Errorf("got %v, want NotFound", err)
	}
	if got := f.names("bucket"); len(got) != 0 {
		t.Errorf("left behind: %q", got)
	}
}

// TestLostCompletion tells that the outcome is unknown.
func TestLostCompletion(t *testing.T) {
	f := newFake(t, "bucket")
	b := open(t, gcs.Config{Bucket: "bucket", Endpoint: f.URL, Anonymous: true})
	u, _ := b.CreateUpload(t.Context(), "key", driver.WriteOptions{})
	p, err := b.PutPart(t.Context(), u, 1, section("x"))
	if err != nil {
		t.Fatal(err)
	}
	f.before = func(http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) }
	_, err = b.CompleteUpload(t.Context(), u, []driver.Part{p}, driver.Cond{})
	if driver.KindOf(err) != driver.Unavailable || !driver.MayHave(err) {
		t.Errorf("got %v, want Unavailable with an unknown outcome", err)
	}
}

func TestReservedKeys(t *testing.T) {
	f := newFake(t, "bucket")
	b := open(t, gcs.Config{Bucket: "bucket", Endpoint: f.URL, Anonymous: true})
	if _, err := b.Put(t.Context(), "_parts/key", section("x"), driver.WriteOptions{}); driver.KindOf(err) != driver.Invalid {
		t.Errorf("Put below _parts/: %v, want Invalid", err)
	}
	for _, key := range []string{"_parts", "_parts0", "^", "_", "a"} {
		if _, err := b.Put(t.Context(), key, section("x"), driver.WriteOptions{}); err != nil {
			t.Error(err)
		}
	}
	if _, err := b.CreateUpload(t.Context(), "up", driver.WriteOptions{}); err != nil {
		t.Error(err)
	}
	for _, q := range []driver.ListRequest{{}, {Limit: 1}, {Delimiter: "/"}, {Prefix: "_"}, {Prefix: "_parts/"}, {StartAfter: "_parts"}, {StartAfter: "_parts/x"}, {StartAfter: "_parts1"}} {
		var got []string
		for e, err := range driver.List(t.Context(), b, q) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, e.Key)
		}
		var want []string
		for _, key := range []string{"^", "_", "_parts", "_parts0", "a"} {
			if strings.HasPrefix(key, q.Prefix) && key > q.StartAfter {
				want = append(want, key)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("List(%+v) = %q, want %q", q, got, want)
		}
	}
}

// TestBodyReleased overwrites the caller's memory as soon as a call has returned.
func TestBodyReleased(t *testing.T) {
	f := newFake(t, "bucket")
	b := open(t, gcs.Config{Bucket: "bucket", Endpoint: f.URL, Anonymous: true})
	f.before = func(w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(http.StatusServiceUnavailable) // before the body was read
		return true
	}
	data := make([]byte, 8<<20)
	for range 10 {
		_, err := b.Put(t.Context(), "key", io.NewSectionReader(bytes.NewReader(data), 0, int64(len(data))), driver.WriteOptions{})
		if !errors.Is(err, driver.Unavailable) {
			t.Fatalf("got %v, want Unavailable", err)
		}
		for i := range data {
			data[i]++ // the race detector sees a reader
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	f.before = func(http.ResponseWriter, *http.Request) bool { cancel(); return true }
	_, err := b.Put(ctx, "key", io.NewSectionReader(bytes.NewReader(data), 0, int64(len(data))), driver.WriteOptions{})
	if err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want Canceled", err)
	}
	for i := range data {
		data[i]++
	}
}
