package drivertest

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"github.com/blobdock/blobdock/driver"
)

// partSize is a size that any part of an upload to b may have.
func partSize(b driver.Bucket) int64 { return max(b.Features().Parts.MinSize, 64) }

// uploaded makes an upload to key of one part that holds data.
func uploaded(t testing.TB, b driver.Bucket, key string, data []byte) (driver.Upload, []driver.Part) {
	t.Helper()
	u := must[driver.Upload](t, "CreateUpload")(b.Features().Uploads.CreateUpload(t.Context(), key, driver.WriteOptions{}))
	if u.Key != key || u.ID == "" {
		t.Fatalf("CreateUpload(%q) says %+v", key, u)
	}
	return u, []driver.Part{putPart(t, b, u, 1, data)}
}

func putPart(t testing.TB, b driver.Bucket, u driver.Upload, n int, data []byte) driver.Part {
	t.Helper()
	p, err := b.Features().Uploads.PutPart(t.Context(), u, n, section(data))
	if err != nil {
		t.Fatalf("PutPart(%q, %d): %v", u.Key, n, err)
	}
	if p.Number != n || p.Size != int64(len(data)) || p.ETag == "" {
		t.Fatalf("PutPart(%q, %d) of %d bytes says %+v", u.Key, n, len(data), p)
	}
	return p
}

// abort tidies up, also when the test's context has ended.
func abort(t testing.TB, b driver.Bucket, u driver.Upload) {
	t.Helper()
	if err := b.Features().Uploads.AbortUpload(context.WithoutCancel(t.Context()), u); err != nil {
		t.Errorf("AbortUpload(%q): %v", u.Key, err)
	}
}

func complete(t testing.TB, b driver.Bucket, u driver.Upload, parts ...driver.Part) driver.Object {
	t.Helper()
	obj, err := b.Features().Uploads.CompleteUpload(t.Context(), u, parts, driver.Cond{})
	if err != nil {
		t.Fatalf("CompleteUpload(%q, %+v): %v", u.Key, parts, err)
	}
	return obj
}

func create(t testing.TB, b driver.Bucket, key string) driver.Upload {
	t.Helper()
	return must[driver.Upload](t, "CreateUpload")(b.Features().Uploads.CreateUpload(t.Context(), key, driver.WriteOptions{}))
}

// partOrder sends parts in any order, and completes uploads with gaps.
func partOrder(t *testing.T, s suite) {
	b := s.New(t)
	size := partSize(b)
	u := create(t, b, "dir/key")
	var parts [4]driver.Part
	var want []byte
	data := map[int][]byte{}
	for n := range parts {
		data[n] = content(fmt.Sprint("part", n), size)
	}
	data[3] = data[3][:size/2] // the last may be short
	for _, n := range []int{2, 0, 3, 1} {
		parts[n] = putPart(t, b, u, n+1, data[n])
	}
	for n := range parts {
		want = append(want, data[n]...)
	}
	for _, gap := range [][]driver.Part{{parts[0], parts[2], parts[3]}, parts[1:]} {
		_, err := b.Features().Uploads.CompleteUpload(t.Context(), u, gap, driver.Cond{})
		wantKind(t, fmt.Sprintf("CompleteUpload that names the parts %+v", gap), err, driver.Invalid)
	}
	obj := complete(t, b, u, parts[:]...)
	if obj.Key != "dir/key" || obj.ETag == "" {
		t.Errorf("CompleteUpload says %+v", obj)
	}
	wantContent(t, b, "dir/key", want)
	if got := must[driver.Object](t, "Stat")(b.Stat(t.Context(), "dir/key")); got.ETag != obj.ETag {
		t.Errorf("Stat says ETag %s, CompleteUpload said %s", got.ETag, obj.ETag)
	}
}

func partReplace(t *testing.T, s suite) {
	b := s.New(t)
	size := partSize(b)
	u := create(t, b, "key")
	old, next := content("old", size), content("new", size)
	before := putPart(t, b, u, 1, old)
	last := putPart(t, b, u, 2, []byte("end"))
	after := putPart(t, b, u, 1, next)
	if before.ETag == after.ETag {
		t.Errorf("a replaced part kept the ETag %s", before.ETag)
	}
	complete(t, b, u, after, last)
	wantContent(t, b, "key", append(next, "end"...))
}

func completeByETag(t *testing.T, s suite) {
	b := s.New(t)
	size := partSize(b)
	put(t, b, "key", []byte("old"))
	u := create(t, b, "key")
	before := putPart(t, b, u, 1, content("old", size))
	last := putPart(t, b, u, 2, []byte("end"))
	after := putPart(t, b, u, 1, content("new", size))
	for _, tt := range []struct {
		what  string
		parts []driver.Part
		want  driver.Kind
	}{
		{"a part that was replaced since", []driver.Part{before, last}, driver.Mismatch},
		{"a part under another's ETag", []driver.Part{after, {Number: 2, Size: last.Size, ETag: after.ETag}}, driver.Mismatch},
		{"no part", nil, driver.Invalid},
		{"parts out of order", []driver.Part{last, after}, driver.Invalid},
		{"one part twice", []driver.Part{after, after}, driver.Invalid},
	} {
		if tt.parts != nil && tt.parts[0] == before && s.excepted(t, "complete-by-etag/replaced") {
			continue
		}
		_, err := b.Features().Uploads.CompleteUpload(t.Context(), u, tt.parts, driver.Cond{})
		wantKind(t, "CompleteUpload that names "+tt.what, err, tt.want)
		wantContent(t, b, "key", []byte("old"))
	}
	complete(t, b, u, after, last)
	wantContent(t, b, "key", append(content("new", size), "end"...))

	u = create(t, b, "key")
	only := putPart(t, b, u, 1, content("old", size))
	_, err := b.Features().Uploads.CompleteUpload(t.Context(), u, []driver.Part{only, {Number: 2, Size: last.Size, ETag: last.ETag}}, driver.Cond{})
	wantKind(t, "CompleteUpload that names a part that was never put", err, driver.Mismatch)
}

func completeConsumes(t *testing.T, s suite) {
	b := s.New(t)
	data := content("data", partSize(b))
	gone := func(what string, u driver.Upload, parts []driver.Part) {
		t.Helper()
		_, err := b.Features().Uploads.PutPart(t.Context(), u, 2, section(data))
		wantKind(t, "PutPart after "+what, err, driver.NotFound)
		_, err = b.Features().Uploads.CompleteUpload(t.Context(), u, parts, driver.Cond{})
		wantKind(t, "CompleteUpload after "+what, err, driver.NotFound)
		noError(t, "AbortUpload after "+what, b.Features().Uploads.AbortUpload(t.Context(), u))
		noError(t, "AbortUpload again after "+what, b.Features().Uploads.AbortUpload(t.Context(), u))
	}
	u, parts := uploaded(t, b, "completed", data)
	complete(t, b, u, parts...)
	gone("CompleteUpload", u, parts)
	wantContent(t, b, "completed", data)

	u, parts = uploaded(t, b, "aborted", data)
	noError(t, "AbortUpload", b.Features().Uploads.AbortUpload(t.Context(), u))
	gone("AbortUpload", u, parts)
	wantAbsent(t, b, "aborted")

	// Two uploads to one key live apart.
	one, oneParts := uploaded(t, b, "key", data)
	two, twoParts := uploaded(t, b, "key", data[1:])
	if one.ID == two.ID {
		t.Fatalf("two uploads have the id %s", one.ID)
	}
	complete(t, b, one, oneParts...)
	complete(t, b, two, twoParts...)
	wantContent(t, b, "key", data[1:])
}

func partLimits(t *testing.T, s suite) {
	b := s.New(t)
	uploads, l := b.Features().Uploads, b.Features().Parts
	u := create(t, b, "key")
	defer abort(t, b, u)
	for _, n := range []int{-1, 0, l.MaxParts + 1} {
		_, err := uploads.PutPart(t.Context(), u, n, section([]byte("x")))
		wantKind(t, fmt.Sprintf("PutPart number %d of %d", n, l.MaxParts), err, driver.Invalid)
	}
	_, err := uploads.PutPart(t.Context(), u, 1, huge(l.MaxSize+1))
	wantKind(t, "PutPart over the limit", err, driver.Invalid)

	if l.MinSize > 0 {
		small, last := putPart(t, b, u, 1, content("small", l.MinSize-1)), putPart(t, b, u, 2, content("last", partSize(b)))
		_, err := uploads.CompleteUpload(t.Context(), u, []driver.Part{small, last}, driver.Cond{})
		wantKind(t, "CompleteUpload with a small part before the last", err, driver.Invalid)
	}
	putPart(t, b, u, l.MaxParts, content("top", partSize(b)))
	wantAbsent(t, b, "key")
}

func uploadInvisible(t *testing.T, s suite) {
	b := s.New(t)
	data := content("data", partSize(b))
	u, parts := uploaded(t, b, "dir/key", data)
	wantAbsent(t, b, "dir/key")
	for _, q := range []driver.ListRequest{{}, {Delimiter: "/"}, {Prefix: "dir/"}} {
		if got := keysOf(t, b, q); len(got) != 0 {
			t.Errorf("List(%+v) shows an upload under way: %q", q, got)
		}
	}
	if !s.excepted(t, "upload-invisible/overwritten") {
		put(t, b, "dir/key", []byte("old"))
		wantContent(t, b, "dir/key", []byte("old"))
	}
	complete(t, b, u, parts...)
	wantContent(t, b, "dir/key", data)
}

func uploadList(t *testing.T, s suite) {
	b := s.New(t)
	ids := map[string][]string{}
	for _, key := range []string{"a/one", "a/one", "a/one", "a/two", "b"} {
		u := create(t, b, key)
		defer abort(t, b, u)
		ids[key] = append(ids[key], u.ID)
	}
	done, parts := uploaded(t, b, "a/one", []byte("x"))
	complete(t, b, done, parts...)
	abort(t, b, create(t, b, "a/one"))

	list := func(q driver.ListRequest) map[string][]string {
		got := map[string][]string{}
		last := ""
		for u, err := range driver.ListUploads(t.Context(), b, q) {
			noError(t, fmt.Sprintf("ListUploads(%+v)", q), err)
			if u.Key < last {
				t.Errorf("ListUploads(%+v): %q comes after %q", q, u.Key, last)
			}
			last = u.Key
			got[u.Key] = append(got[u.Key], u.ID)
		}
		for _, ids := range got {
			slices.Sort(ids)
		}
		return got
	}
	for _, l := range ids {
		slices.Sort(l)
	}
	queries := []driver.ListRequest{{Prefix: "b"}, {Prefix: "a/one"}, {Prefix: "none"}}
	if !s.ListsUploadsByKey {
		queries = append(queries, driver.ListRequest{}, driver.ListRequest{Prefix: "a/"},
			driver.ListRequest{Limit: 1}, driver.ListRequest{Limit: 2}, driver.ListRequest{StartAfter: "a/one"})
	}
	for _, q := range queries {
		want := map[string][]string{}
		for key, l := range ids {
			if len(key) >= len(q.Prefix) && key[:len(q.Prefix)] == q.Prefix && key > q.StartAfter {
				want[key] = l
			}
		}
		if diff := cmp.Diff(want, list(q)); diff != "" {
			t.Errorf("ListUploads(%+v) (-want +got):\n%s", q, diff)
		}
	}
}

func uploadParallel(t *testing.T, s suite) {
	b := s.New(t)
	size := partSize(b)
	const count = 5
	u := create(t, b, "key")
	parts := make([]driver.Part, count)
	var want []byte
	var g errgroup.Group
	for i := range count {
		data := content(fmt.Sprint("part", i), size)
		want = append(want, data...)
		g.Go(func() (err error) {
			parts[i], err = b.Features().Uploads.PutPart(t.Context(), u, i+1, section(data))
			return err
		})
	}
	noError(t, "PutPart", g.Wait())
	complete(t, b, u, parts...)
	if got := get(t, b, "key", driver.Range{Off: size - 5, Len: 10}); !bytes.Equal(got, want[size-5:size+5]) {
		t.Error("wrong bytes where two parts meet")
	}
	wantContent(t, b, "key", want)
}
