package drivertest

import (
	"fmt"
	"hash/crc32"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/blobdock/blobdock/driver"
)

// joined is a request for key, of objects that joined puts.
func joined(t testing.TB, b driver.Bucket, key string, sizes ...int64) (r driver.ConcatRequest, whole []byte) {
	t.Helper()
	r.Key = key
	for i, n := range sizes {
		data := content(fmt.Sprint(key, i), n)
		r.Sources = append(r.Sources, put(t, b, fmt.Sprintf("pieces/%s/%03d é", key, i), data))
		whole = append(whole, data...)
	}
	return r, whole
}

// joining is how the suite joins objects of about n bytes.
func joining(b driver.Bucket) driver.CopyPlan {
	return driver.CopyPlan{PartSize: partSize(b), Concurrency: 4}
}

// shapes are sizes of sources that make Concat go each of its ways.
func shapes(b driver.Bucket) map[string][]int64 {
	size := partSize(b)
	return map[string][]int64{
		"one":   {1000},
		"small": {10, 1, 20},
		"parts": {size, size, 7},
		"mixed": {size, 3, 0, size + 5, 1},
		"empty": {0, 0},
		"none":  nil,
		"many":  slices.Repeat([]int64{10}, 34), // more than GCS joins in one request
	}
}

func concat(t *testing.T, s suite) {
	b := s.New(t)
	all := shapes(b)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		t.Run(name, func(t *testing.T) {
			r, whole := joined(t, b, name, all[name]...)
			r.Options = driver.WriteOptions{ContentType: "text/x-joined", Metadata: map[string]string{"joined": "yes"}, SHA256: make([]byte, 32)}
			obj := must[driver.Object](t, "Concat")(driver.Concat(t.Context(), b, r, joining(b)))
			if obj.Key != name || obj.Size != int64(len(whole)) || obj.ETag == "" {
				t.Errorf("Concat of %d bytes says %+v", len(whole), obj)
			}
			wantContent(t, b, name, whole)
			got := must[driver.Object](t, "Stat")(b.Stat(t.Context(), name))
			if got.ETag != obj.ETag || got.Version != obj.Version {
				t.Errorf("Stat says %+v, Concat said %+v", got, obj)
			}
			if b.Features().Metadata && (got.ContentType != "text/x-joined" || got.Metadata["joined"] != "yes") {
				t.Errorf("the object has not the attributes it was given: %+v", got)
			}
		})
	}
	var want []string
	for name, sizes := range all {
		want = append(want, name)
		for i := range sizes {
			want = append(want, fmt.Sprintf("pieces/%s/%03d é", name, i))
		}
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, keysOf(t, b, driver.ListRequest{})); diff != "" && !s.excepted(t, "concat-joins/scratch") {
		t.Errorf("List after Concat (-want +got):\n%s", diff)
	}

	// The object may be a source itself, and the order is the caller's.
	size := partSize(b)
	r, whole := joined(t, b, "twice", size, size)
	whole = slices.Concat(whole[size:], whole[:size], whole[size:])
	put(t, b, "twice", whole[:size])
	r.Sources = []driver.Object{must[driver.Object](t, "Stat")(b.Stat(t.Context(), "twice")), r.Sources[0], r.Sources[1]}
	must[driver.Object](t, "Concat of the object itself")(driver.Concat(t.Context(), b, r, joining(b)))
	wantContent(t, b, "twice", whole)
	s.wantNoUploads(t, b, "twice")
}

// wantNoUploads checks that no upload to key is left.
func (s suite) wantNoUploads(t testing.TB, b driver.Bucket, key string) {
	t.Helper()
	if s.excepted(t, "concat-pins/uploads") {
		return
	}
	for u, err := range driver.ListUploads(t.Context(), b, driver.ListRequest{Prefix: key}) {
		noError(t, "ListUploads", err)
		if u.Key == key {
			t.Errorf("left the upload %+v", u)
		}
	}
}

func concatPins(t *testing.T, s suite) {
	b := s.New(t)
	all := shapes(b)
	for _, name := range []string{"one", "small", "parts", "many"} {
		t.Run(name, func(t *testing.T) {
			r, _ := joined(t, b, name, all[name]...)
			for _, at := range slices.Compact([]int{0, len(all[name]) - 1}) {
				src := r.Sources[at]
				if !s.excepted(t, "concat-pins/changed") {
					put(t, b, src.Key, content("changed", src.Size))
					_, err := driver.Concat(t.Context(), b, r, joining(b))
					wantKind(t, fmt.Sprintf("Concat after source %d changed", at), err, driver.Mismatch)
					wantAbsent(t, b, name)
				}
				noError(t, "Delete", b.Delete(t.Context(), src.Key, driver.DeleteOptions{}))
				_, err := driver.Concat(t.Context(), b, r, joining(b))
				wantKind(t, fmt.Sprintf("Concat after source %d was deleted", at), err, driver.NotFound)
				wantAbsent(t, b, name)
				r.Sources[at] = put(t, b, src.Key, content("again", src.Size))
			}
			s.wantNoUploads(t, b, name)
		})
	}
}

func concatAtomic(t *testing.T, s suite) {
	b := s.New(t)
	conds := b.Features().ConcatConds()
	for _, name := range []string{"one", "small", "parts", "many"} {
		t.Run(name, func(t *testing.T) {
			r, whole := joined(t, b, name, shapes(b)[name]...)
			r.DeleteSources = true
			join := func(c driver.Cond) error {
				r.Options.Cond = c
				_, err := driver.Concat(t.Context(), b, r, joining(b))
				return err
			}
			put(t, b, name, []byte("old"))
			refuse := func(c driver.Cond, want driver.Kind) {
				t.Helper()
				if !conds.Allows(c) {
					want = driver.Unsupported
				}
				wantKind(t, fmt.Sprintf("Concat under %+v", c), join(c), want)
				wantContent(t, b, name, []byte("old"))
				for _, src := range r.Sources {
					if got := must[driver.Object](t, "Stat of a source")(b.Stat(t.Context(), src.Key)); got.ETag != src.ETag {
						t.Errorf("a Concat that failed changed its source %q", src.Key)
					}
				}
			}
			refuse(ifAbsent, driver.Exists)
			older := put(t, b, name, []byte("older"))
			old := put(t, b, name, []byte("old"))
			refuse(ifMatch(older.ETag), driver.Mismatch)

			c := ifMatch(old.ETag)
			if !conds.Allows(c) {
				c = driver.Cond{}
			}
			noError(t, fmt.Sprintf("Concat under %+v", c), join(c))
			wantContent(t, b, name, whole)
			s.wantNoUploads(t, b, name)
		})
	}
}

func concatChecksum(t *testing.T, s suite) {
	b := s.New(t)
	for _, name := range []string{"one", "many"} {
		t.Run(name, func(t *testing.T) {
			r, whole := joined(t, b, name, shapes(b)[name]...)
			r.DeleteSources = true
			right := crc32.Checksum(whole, crc32.MakeTable(crc32.Castagnoli))
			for what, wrong := range map[string]uint32{"another sum": right ^ 1, "the sum of nothing": 0} {
				r.CRC32C = &wrong
				_, err := driver.Concat(t.Context(), b, r, joining(b))
				wantKind(t, "Concat of sources with "+what, err, driver.Corrupt)
				wantAbsent(t, b, name)
				for _, src := range r.Sources {
					must[driver.Object](t, "Stat of a source")(b.Stat(t.Context(), src.Key))
				}
			}
			r.CRC32C = &right
			must[driver.Object](t, "Concat with the sum")(driver.Concat(t.Context(), b, r, joining(b)))
			wantContent(t, b, name, whole)
		})
	}
}
