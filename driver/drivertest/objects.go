package drivertest

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/blobdock/blobdock/driver"
)

const mib = 1 << 20

func deleteAbsent(t *testing.T, s suite) {
	b := s.New(t)
	noError(t, "Delete of a key that never was", b.Delete(t.Context(), "never/was", driver.DeleteOptions{}))
	put(t, b, "once", []byte("x"))
	noError(t, "Delete", b.Delete(t.Context(), "once", driver.DeleteOptions{}))
	wantAbsent(t, b, "once")
	noError(t, "second Delete", b.Delete(t.Context(), "once", driver.DeleteOptions{}))
}

func absent(t *testing.T, s suite) {
	b := s.New(t)
	put(t, b, "dir/object", []byte("x"))
	// A key that is only a prefix of others, or lies below an object, is absent.
	for _, key := range []string{"nothing", "dir", "dir/obj", "dir/object/below"} {
		wantAbsent(t, b, key)
		_, err := b.Open(t.Context(), key, driver.Range{}, driver.ReadOptions{})
		wantKind(t, fmt.Sprintf("Open(%q)", key), err, driver.NotFound)
		_, err = b.Open(t.Context(), key, driver.Range{Off: 7, Len: 3}, driver.ReadOptions{IfMatch: `"0123"`})
		wantKind(t, fmt.Sprintf("Open(%q) of a range under a condition", key), err, driver.NotFound)
		noError(t, fmt.Sprintf("Delete(%q)", key), b.Delete(t.Context(), key, driver.DeleteOptions{}))
	}
	wantContent(t, b, "dir/object", []byte("x"))
}

func sizes(t *testing.T, s suite) {
	b := s.New(t)
	for _, n := range []int64{0, 1, 2, 4095, 4096, 4097, 64 << 10, 5*mib + 3} {
		key := fmt.Sprintf("size/%d", n)
		data := content(key, n)
		before := put(t, b, key, data)
		wantContent(t, b, key, data)
		obj := must[driver.Object](t, "Stat")(b.Stat(t.Context(), key))
		if obj.Key != key || obj.ETag != before.ETag {
			t.Errorf("Stat(%q) says %+v, Put said %+v", key, obj, before)
		}
		if obj.ModTime.IsZero() {
			t.Errorf("Stat(%q) has no time", key)
		}
	}
}

func rangeEdges(t *testing.T, s suite) {
	b := s.New(t)
	const size = 1000
	data := content("ranges", size)
	obj := put(t, b, "ranges", data)
	put(t, b, "empty", nil)
	tests := []struct {
		key      string
		r        driver.Range
		off, len int64
		kind     driver.Kind
	}{
		{"ranges", driver.Range{}, 0, size, 0},
		{"ranges", driver.Range{Off: 0, Len: 1}, 0, 1, 0},
		{"ranges", driver.Range{Off: 0, Len: size}, 0, size, 0},
		{"ranges", driver.Range{Off: 0, Len: size + 1}, 0, size, 0},
		{"ranges", driver.Range{Off: 1}, 1, size - 1, 0},
		{"ranges", driver.Range{Off: 10, Len: 20}, 10, 20, 0},
		{"ranges", driver.Range{Off: size - 1}, size - 1, 1, 0},
		{"ranges", driver.Range{Off: size - 1, Len: 1}, size - 1, 1, 0},
		{"ranges", driver.Range{Off: size - 1, Len: 99}, size - 1, 1, 0},
		{"ranges", driver.Range{Off: 1, Len: 1<<63 - 1}, 1, size - 1, 0},
		{"ranges", driver.Range{Off: size}, size, 0, 0},
		{"ranges", driver.Range{Off: size, Len: 5}, size, 0, 0},
		{"ranges", driver.Range{Off: size + 1}, 0, 0, driver.OutOfRange},
		{"ranges", driver.Range{Off: size + 1, Len: 1}, 0, 0, driver.OutOfRange},
		{"ranges", driver.Range{Off: 1<<63 - 1}, 0, 0, driver.OutOfRange},
		{"ranges", driver.Range{Off: -1}, 0, 0, driver.Invalid},
		{"ranges", driver.Range{Len: -1}, 0, 0, driver.Invalid},
		{"empty", driver.Range{}, 0, 0, 0},
		{"empty", driver.Range{Len: 1}, 0, 0, 0},
		{"empty", driver.Range{Off: 1}, 0, 0, driver.OutOfRange},
	}
	for _, tt := range tests {
		what := fmt.Sprintf("Open(%q, %+v)", tt.key, tt.r)
		rd, err := b.Open(t.Context(), tt.key, tt.r, driver.ReadOptions{})
		if tt.kind != 0 {
			wantKind(t, what, err, tt.kind)
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		got, err := io.ReadAll(rd)
		noError(t, what+": read", err)
		noError(t, what+": close", rd.Close())
		want := driver.Range{Off: tt.off, Len: tt.len}
		if rd.Range != want || int64(len(got)) != tt.len {
			t.Errorf("%s: got %d bytes and Range %+v, want %+v", what, len(got), rd.Range, want)
		}
		if tt.key == "empty" {
			continue
		}
		if !bytes.Equal(got, data[tt.off:tt.off+tt.len]) {
			t.Errorf("%s: wrong bytes", what)
		}
		if rd.Object.Size != size || rd.Object.ETag != obj.ETag || rd.Object.Key != tt.key {
			t.Errorf("%s: Object is %+v, want that of the whole object %+v", what, rd.Object, obj)
		}
	}
}

func shortBody(t *testing.T, s suite) {
	b := s.New(t)
	part := partSize(b)
	uploads := b.Features().Uploads
	var u driver.Upload
	if uploads != nil {
		u = create(t, b, "short")
		defer abort(t, b, u)
	}
	for _, n := range []int64{0, 1, 70_000} {
		short := func() *io.SectionReader {
			return io.NewSectionReader(bytes.NewReader(content("short", n)), 0, n+part)
		}
		_, err := b.Put(t.Context(), "short", short(), driver.WriteOptions{})
		wantShort(t, fmt.Sprintf("Put of %d bytes announced as %d", n, n+part), err)
		wantAbsent(t, b, "short")
		if uploads != nil {
			_, err = uploads.PutPart(t.Context(), u, 1, short())
			wantShort(t, fmt.Sprintf("PutPart of %d bytes announced as %d", n, n+part), err)
		}
	}
}

func wantShort(t testing.TB, what string, err error) {
	t.Helper()
	switch {
	case err == nil:
		t.Errorf("%s: got no error", what)
	case errors.Is(err, io.EOF):
		t.Errorf("%s: got a plain io.EOF: %v", what, err)
	}
}

func putAtomic(t *testing.T, s suite) {
	b := s.New(t)
	old := content("old", 100_000)
	etag := put(t, b, "key", old).ETag

	broken := errors.New("broken source")
	_, err := b.Put(t.Context(), "key", io.NewSectionReader(failAt{70_000, broken}, 0, 200_000), driver.WriteOptions{})
	if err == nil {
		t.Error("Put with a source that breaks: got no error")
	}
	wantContent(t, b, "key", old)
	if got := must[driver.Object](t, "Stat")(b.Stat(t.Context(), "key")).ETag; got != etag {
		t.Errorf("a failed Put changed the ETag from %s to %s", etag, got)
	}

	// Readers beside writers see one version or another, never both in one.
	versions := [][]byte{bytes.Repeat([]byte("a"), 300_000), bytes.Repeat([]byte("b"), 200_000)}
	put(t, b, "key", versions[0])
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := range 20 {
			if _, err := b.Put(t.Context(), "key", section(versions[i%2]), driver.WriteOptions{}); err != nil {
				t.Errorf("Put: %v", err)
			}
		}
	})
	for range 2 {
		wg.Go(func() {
			for range 20 {
				got, err := read(t, b, "key", driver.Range{}, driver.ReadOptions{})
				if err != nil {
					t.Errorf("read beside a writer: %v", err)
				} else if !bytes.Equal(got, versions[0]) && !bytes.Equal(got, versions[1]) {
					t.Errorf("read beside a writer: %d bytes that are neither version", len(got))
				}
			}
		})
	}
	wg.Wait()
}

// failAt delivers zeros up to an offset and fails there.
type failAt struct {
	off int64
	err error
}

func (f failAt) ReadAt(p []byte, off int64) (int, error) {
	n := min(int64(len(p)), max(f.off-off, 0))
	clear(p[:n])
	if n < int64(len(p)) {
		return int(n), f.err
	}
	return int(n), nil
}

func etagPins(t *testing.T, s suite) {
	b := s.New(t)
	first := put(t, b, "key", []byte("first"))
	same := driver.ReadOptions{IfMatch: first.ETag}
	if got := must[[]byte](t, "Open with the ETag that is there")(read(t, b, "key", driver.Range{}, same)); string(got) != "first" {
		t.Errorf("got %q", got)
	}
	second := put(t, b, "key", []byte("other")) // same length
	if second.ETag == first.ETag {
		t.Fatalf("ETag %s stayed the same when the bytes changed", first.ETag)
	}
	_, err := b.Open(t.Context(), "key", driver.Range{}, same)
	wantKind(t, "Open with an older ETag", err, driver.Mismatch)
	_, err = b.Open(t.Context(), "key", driver.Range{Off: 1, Len: 2}, same)
	wantKind(t, "Open of a range with an older ETag", err, driver.Mismatch)
	rd := must[*driver.Reader](t, "Open")(b.Open(t.Context(), "key", driver.Range{Off: 1}, driver.ReadOptions{IfMatch: second.ETag}))
	defer func() { _ = rd.Close() }()
	if rd.Object.ETag != second.ETag {
		t.Errorf("reader has ETag %s, want %s", rd.Object.ETag, second.ETag)
	}
	// Many writes within one tick of a clock, of the same length.
	seen := map[string]bool{}
	for i := range 50 {
		seen[put(t, b, "quick", fmt.Appendf(nil, "%02d", i)).ETag] = true
	}
	if len(seen) != 50 {
		t.Errorf("50 versions have only %d ETags", len(seen))
	}
}

func metadataKept(t *testing.T, s suite) {
	b := s.New(t)
	want := driver.WriteOptions{
		ContentType: "application/vnd.oci.image.manifest.v1+json",
		Metadata:    map[string]string{"a": "1", "size-bytes": "42", "x2": "some words: a=b; c,d"},
	}
	check := func(what string, obj driver.Object) {
		t.Helper()
		if obj.ContentType != want.ContentType {
			t.Errorf("%s: content type %q, want %q", what, obj.ContentType, want.ContentType)
		}
		if diff := cmp.Diff(want.Metadata, obj.Metadata); diff != "" {
			t.Errorf("%s: metadata (-want +got):\n%s", what, diff)
		}
	}
	must[driver.Object](t, "Put")(b.Put(t.Context(), "put", section([]byte("x")), want))
	check("Stat after Put", must[driver.Object](t, "Stat")(b.Stat(t.Context(), "put")))
	rd := must[*driver.Reader](t, "Open")(b.Open(t.Context(), "put", driver.Range{}, driver.ReadOptions{}))
	_ = rd.Close()
	check("Open", rd.Object)

	if uploads := b.Features().Uploads; uploads != nil {
		u := must[driver.Upload](t, "CreateUpload")(uploads.CreateUpload(t.Context(), "parts", want))
		complete(t, b, u, putPart(t, b, u, 1, []byte("x")))
		check("Stat after CompleteUpload", must[driver.Object](t, "Stat")(b.Stat(t.Context(), "parts")))
	}

	// The next version has what it was written with, nothing of the old one's.
	put(t, b, "put", []byte("y"))
	obj := must[driver.Object](t, "Stat")(b.Stat(t.Context(), "put"))
	if len(obj.Metadata) != 0 || obj.ContentType == want.ContentType {
		t.Errorf("a new version kept the old one's metadata: %+v", obj)
	}

	for _, m := range []map[string]string{{"Upper": "1"}, {"": "1"}, {"under_score": "1"}, {"k": "two\nlines"}, {"k": "ä"}} {
		_, err := b.Put(t.Context(), "bad", section(nil), driver.WriteOptions{Metadata: m})
		wantKind(t, fmt.Sprintf("Put with metadata %q", m), err, driver.Invalid)
	}
}

func arguments(t *testing.T, s suite) {
	b := s.New(t)
	_, err := b.Put(t.Context(), "key", section(nil), under(driver.Cond{IfAbsent: true, IfMatch: `"0123"`}))
	wantKind(t, "Put under two conditions", err, driver.Invalid)
	_, err = b.Put(t.Context(), "key", huge(b.Features().Parts.MaxPut+1), driver.WriteOptions{})
	wantKind(t, "Put of more than one request takes", err, driver.Invalid)
	if uploads := b.Features().Uploads; uploads != nil {
		_, err = uploads.CreateUpload(t.Context(), "key", under(ifAbsent))
		wantKind(t, "CreateUpload under a condition", err, driver.Invalid)
	}
	_, err = b.ListPage(t.Context(), driver.ListRequest{Delimiter: "-"})
	wantKind(t, "ListPage with another delimiter", err, driver.Invalid)
	_, err = b.ListPage(t.Context(), driver.ListRequest{Limit: -1})
	wantKind(t, "ListPage with a negative limit", err, driver.Invalid)
	if got := keysOf(t, b, driver.ListRequest{}); len(got) != 0 {
		t.Errorf("refused calls left %q behind", got)
	}
}

func digest(t *testing.T, s suite) {
	b := s.New(t)
	data := content("digest", 100_000)
	right := sha256.Sum256(data)
	o := driver.WriteOptions{SHA256: right[:]}
	must[driver.Object](t, "Put with the right digest")(b.Put(t.Context(), "key", section(data), o))
	wantContent(t, b, "key", data)
	none := sha256.Sum256(nil)
	must[driver.Object](t, "Put of an empty object with its digest")(
		b.Put(t.Context(), "empty", section(nil), driver.WriteOptions{SHA256: none[:]}))

	_, err := b.Put(t.Context(), "key", section(data[1:]), o)
	wantKind(t, "Put with the wrong digest", err, driver.Corrupt)
	wantContent(t, b, "key", data)
	_, err = b.Put(t.Context(), "other", section(data[1:]), o)
	wantKind(t, "Put with the wrong digest at an absent key", err, driver.Corrupt)
	wantAbsent(t, b, "other")
}

// replayableBody checks that a body is read from its start, whoever read it
// before, and is left alone.
func replayableBody(t *testing.T, s suite) {
	b := s.New(t)
	data := content("replay", 1000)
	body := section(data)
	if _, err := body.Seek(700, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"one", "two"} {
		must[driver.Object](t, "Put")(b.Put(t.Context(), key, body, driver.WriteOptions{}))
		wantContent(t, b, key, data)
	}
	if at, _ := body.Seek(0, io.SeekCurrent); at != 700 {
		t.Errorf("the body's seek position moved from 700 to %d", at)
	}
	part := io.NewSectionReader(bytes.NewReader(data), 100, 50)
	must[driver.Object](t, "Put")(b.Put(t.Context(), "section", part, driver.WriteOptions{}))
	wantContent(t, b, "section", data[100:150])
}

func readerClosedEarly(t *testing.T, s suite) {
	b := s.New(t)
	data := content("early", 2*mib)
	put(t, b, "key", data)
	for range 5 {
		rd := must[*driver.Reader](t, "Open")(b.Open(t.Context(), "key", driver.Range{}, driver.ReadOptions{}))
		buf := make([]byte, 100)
		if _, err := io.ReadFull(rd, buf); err != nil || !bytes.Equal(buf, data[:100]) {
			t.Fatalf("read of 100 bytes: %v", err)
		}
		noError(t, "Close in mid-body", rd.Close())
	}
	unread := must[*driver.Reader](t, "Open")(b.Open(t.Context(), "key", driver.Range{}, driver.ReadOptions{}))
	noError(t, "Close before the first read", unread.Close())
	rd := must[*driver.Reader](t, "Open")(b.Open(t.Context(), "key", driver.Range{}, driver.ReadOptions{}))
	got, err := io.ReadAll(iotest.OneByteReader(io.LimitReader(rd, 50)))
	if err != nil || !bytes.Equal(got, data[:50]) {
		t.Errorf("read byte by byte: %v", err)
	}
	noError(t, "Close", rd.Close())
}
