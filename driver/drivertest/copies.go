package drivertest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/blobdock/blobdock/driver"
)

func copyWhole(t *testing.T, s suite) {
	b := s.New(t)
	copyObject := b.Features().Copy
	kept := driver.WriteOptions{ContentType: "text/x-kept", Metadata: map[string]string{"kept": "yes"}}
	data := content("source", 100_000)
	src := must[driver.Object](t, "Put")(b.Put(t.Context(), "dir/src +&=?#%20é", section(data), kept))

	for _, etag := range []string{"", src.ETag} {
		r := driver.CopyRequest{Src: driver.Source{Key: src.Key, ETag: etag}, Dst: "copy"}
		obj := must[driver.Object](t, "Copy")(copyObject(t.Context(), r))
		wantContent(t, b, "copy", data)
		got := must[driver.Object](t, "Stat")(b.Stat(t.Context(), "copy"))
		if obj.Key != "copy" || obj.ETag != got.ETag {
			t.Errorf("Copy says %+v, Stat %+v", obj, got)
		}
		if b.Features().Metadata && (got.ContentType != kept.ContentType || got.Metadata["kept"] != "yes") {
			t.Errorf("the copy lost the source's metadata: %+v", got)
		}
	}
	wantContent(t, b, src.Key, data)

	if b.Features().Metadata {
		r := driver.CopyRequest{Src: driver.Source{Key: src.Key}, Dst: "copy",
			Options: driver.WriteOptions{ContentType: "text/x-new", Metadata: map[string]string{"new": "yes"}}}
		must[driver.Object](t, "Copy")(copyObject(t.Context(), r))
		got := must[driver.Object](t, "Stat")(b.Stat(t.Context(), "copy"))
		if got.ContentType != "text/x-new" || got.Metadata["new"] != "yes" || got.Metadata["kept"] != "" {
			t.Errorf("the copy has not the metadata it was given: %+v", got)
		}
	}

	_, err := copyObject(t.Context(), driver.CopyRequest{Src: driver.Source{Key: "absent"}, Dst: "copy"})
	wantKind(t, "Copy of an absent object", err, driver.NotFound)
	put(t, b, src.Key, data[1:])
	if !s.excepted(t, "copy/changed") {
		_, err = copyObject(t.Context(), driver.CopyRequest{Src: driver.Source{Key: src.Key, ETag: src.ETag}, Dst: "copy"})
		wantKind(t, "Copy of an older version", err, driver.Mismatch)
	}
	_, err = copyObject(t.Context(), driver.CopyRequest{Src: driver.Source{Key: src.Key, Range: driver.Range{Off: 1}}, Dst: "copy"})
	wantKind(t, "Copy of a range", err, driver.Invalid)
	wantContent(t, b, "copy", data)
	put(t, b, "nothing", nil)
	must[driver.Object](t, "Copy of an empty object")(copyObject(t.Context(), driver.CopyRequest{Src: driver.Source{Key: "nothing"}, Dst: "copy"}))
	wantContent(t, b, "copy", nil)
}

func copyPart(t *testing.T, s suite) {
	b := s.New(t)
	size := partSize(b)
	data := content("source", 2*size+10)
	src := put(t, b, "src é", data)
	u := create(t, b, "key")
	copyRange := func(n int, off, length int64) driver.Part {
		t.Helper()
		p, err := b.Features().CopyPart(t.Context(), u, n, driver.Source{Key: src.Key, ETag: src.ETag, Range: driver.Range{Off: off, Len: length}})
		if err != nil {
			t.Fatalf("CopyPart %d of %d+%d: %v", n, off, length, err)
		}
		if p.Number != n || p.Size != length || p.ETag == "" {
			t.Fatalf("CopyPart %d of %d+%d says %+v", n, off, length, p)
		}
		return p
	}
	second := copyRange(2, 5, size)
	first := copyRange(1, size+10, size)
	third := putPart(t, b, u, 3, []byte("own end"))

	_, err := b.Features().CopyPart(t.Context(), u, 4, driver.Source{Key: "absent", Range: driver.Range{Len: 5}})
	wantKind(t, "CopyPart of an absent object", err, driver.NotFound)
	pinned := !s.excepted(t, "copy-part/changed")
	if pinned {
		_, err = b.Features().CopyPart(t.Context(), u, 4, driver.Source{Key: src.Key, ETag: `"other"`, Range: driver.Range{Len: 5}})
		wantKind(t, "CopyPart of another version", err, driver.Mismatch)
	}
	_, err = b.Features().CopyPart(t.Context(), u, 0, driver.Source{Key: src.Key, Range: driver.Range{Len: 5}})
	wantKind(t, "CopyPart number 0", err, driver.Invalid)
	if !s.excepted(t, "copy-part/beyond") {
		_, err = b.Features().CopyPart(t.Context(), u, 4, driver.Source{Key: src.Key, Range: driver.Range{Off: src.Size - 2, Len: 5}})
		wantBeyond(t, "CopyPart beyond the end", err)
	}

	complete(t, b, u, first, second, third)
	wantContent(t, b, "key", slices.Concat(data[size+10:], data[5:5+size], []byte("own end")))
	if !s.excepted(t, "copy-part/completed") {
		_, err = b.Features().CopyPart(t.Context(), u, 1, driver.Source{Key: src.Key, Range: driver.Range{Len: 5}})
		wantKind(t, "CopyPart to a completed upload", err, driver.NotFound)
	}

	// driver.Copy takes that way when the store has no other.
	f := driver.WithFeatures(b, func(f *driver.Features) { f.Copy = nil })
	plan := driver.CopyPlan{PartSize: size, Concurrency: 3}
	obj := must[driver.Object](t, "Copy in parts")(driver.Copy(t.Context(), f, driver.Source{Key: src.Key, ETag: src.ETag}, src.Size, "parts", driver.WriteOptions{}, plan))
	if obj.Key != "parts" {
		t.Errorf("Copy in parts says %+v", obj)
	}
	wantContent(t, b, "parts", data)
	if !pinned {
		return
	}
	_, err = driver.Copy(t.Context(), f, driver.Source{Key: src.Key, ETag: `"other"`}, src.Size, "never", driver.WriteOptions{}, plan)
	wantKind(t, "Copy in parts of another version", err, driver.Mismatch)
	wantAbsent(t, b, "never")
	for u, err := range driver.ListUploads(t.Context(), b, driver.ListRequest{Prefix: "never"}) {
		noError(t, "ListUploads", err)
		t.Errorf("a copy that failed left the upload %+v", u)
	}
}

// wantBeyond is for a range of a source that is not all there.
func wantBeyond(t testing.TB, what string, err error) {
	t.Helper()
	if kind := driver.KindOf(err); kind != driver.Invalid && kind != driver.OutOfRange {
		t.Errorf("%s: %v, want %v or %v", what, err, driver.Invalid, driver.OutOfRange)
	}
}

func deleteBatch(t *testing.T, s suite) {
	b := s.New(t)
	f := b.Features()
	if f.BatchMax < 2 {
		t.Fatalf("BatchMax is %d", f.BatchMax)
	}
	keys := append([]string{"a&b<c>", "kept"}, listKeys...)
	fill(t, b, keys)
	drop := append([]string{"a&b<c>", "never", "was/there"}, listKeys[2:]...)
	noError(t, "DeleteBatch", f.DeleteBatch(t.Context(), driver.Refs(drop...)))
	want := slices.Sorted(slices.Values(append([]string{"kept"}, listKeys[:2]...)))
	if got := keysOf(t, b, driver.ListRequest{}); !slices.Equal(got, want) {
		t.Errorf("after DeleteBatch: got %q, want %q", got, want)
	}
	noError(t, "DeleteBatch of absent keys", f.DeleteBatch(t.Context(), driver.Refs(drop...)))
	noError(t, "DeleteBatch of no keys", f.DeleteBatch(t.Context(), nil))
	over := make([]string, f.BatchMax+1)
	for i := range over {
		over[i] = fmt.Sprint("over/", i)
	}
	wantKind(t, "DeleteBatch of too many keys", f.DeleteBatch(t.Context(), driver.Refs(over...)), driver.Invalid)
	noError(t, "DeleteAll", driver.DeleteAll(t.Context(), b, driver.Refs(append(over, "kept", "B", "a-b")...)))
	if got := keysOf(t, b, driver.ListRequest{}); len(got) != 0 {
		t.Errorf("after DeleteAll: %q", got)
	}

	old := put(t, b, "key", []byte("old"))
	next := put(t, b, "key", []byte("next"))
	put(t, b, "other", []byte("x"))
	if !f.Conds.DeleteBatch {
		refs := append(driver.Refs("other"), driver.ObjectRef{Key: "key", Version: old.ETag})
		wantKind(t, "DeleteBatch with a version", f.DeleteBatch(t.Context(), refs), driver.Unsupported)
		wantContent(t, b, "other", []byte("x"))
	} else if old.Version != "" && !s.excepted(t, "delete-batch/version") {
		refs := append([]driver.ObjectRef{{Key: "key", Version: old.Version}}, driver.Refs("other")...)
		wantKind(t, "DeleteBatch with an older version", f.DeleteBatch(t.Context(), refs), driver.Mismatch)
		wantContent(t, b, "key", []byte("next"))
		wantAbsent(t, b, "other")
		refs[0].Version = next.Version
		noError(t, "DeleteBatch with the version that is there", f.DeleteBatch(t.Context(), refs))
		noError(t, "DeleteBatch with the version of an absent key", f.DeleteBatch(t.Context(), refs))
		wantAbsent(t, b, "key")
	}
}
