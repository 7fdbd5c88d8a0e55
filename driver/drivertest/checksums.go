package drivertest

import (
	"bytes"
	"crypto/sha256"
	"hash/crc32"
	"slices"
	"testing"

	"github.com/blobdock/blobdock/driver"
)

// checksums looks at the sums of objects that were written in each way there is: a sum that
// is reported covers the object's bytes. A Put has at least one.
func checksums(t *testing.T, s suite) {
	b := s.New(t)
	f := b.Features()
	check := func(how, key string, data []byte, must bool) {
		t.Helper()
		obj, err := f.StatChecksums(t.Context(), key)
		if err != nil {
			t.Errorf("%s: StatChecksums: %v", how, err)
			return
		}
		plain, err := b.Stat(t.Context(), key)
		if err != nil || plain.Checksums.CRC32C != nil || plain.Checksums.SHA256 != nil {
			t.Errorf("%s: Stat: %+v, %v, want no sums", how, plain, err)
		}
		if obj.Key != key || obj.Size != int64(len(data)) || obj.ETag != plain.ETag || obj.Version != plain.Version || !obj.ModTime.Equal(plain.ModTime) {
			t.Errorf("%s: StatChecksums says %+v, Stat %+v", how, obj, plain)
		}
		crc, sum := crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli)), sha256.Sum256(data)
		if got := obj.Checksums.CRC32C; got != nil && *got != crc {
			t.Errorf("%s: CRC-32C is reported as %08x, want %08x", how, *got, crc)
		}
		if got := obj.Checksums.SHA256; got != nil && !bytes.Equal(got, sum[:]) {
			t.Errorf("%s: SHA-256 is reported as %x, want %x", how, got, sum)
		}
		if none := obj.Checksums.CRC32C == nil && obj.Checksums.SHA256 == nil; none && must {
			t.Errorf("%s: no sum is reported", how)
		} else if none {
			t.Logf("%s: no sum is reported", how)
		}
	}

	size := partSize(b)
	one, two := content("one", size), content("two", size)
	for _, data := range [][]byte{nil, one, two} { // the same size with other bytes is another sum
		put(t, b, "put", data)
		check("Put", "put", data, true)
		sum := sha256.Sum256(data)
		must[driver.Object](t, "Put")(b.Put(t.Context(), "known", section(data), driver.WriteOptions{SHA256: sum[:]}))
		check("Put with a digest", "known", data, true)
		put(t, b, "known", data)
		check("Put without the digest that was there", "known", data, true)
	}
	if f.Copy != nil {
		must[driver.Object](t, "Copy")(f.Copy(t.Context(), driver.CopyRequest{Src: driver.Source{Key: "put"}, Dst: "copy"}))
		check("Copy", "copy", two, false)
	}
	if f.Uploads != nil {
		u := create(t, b, "parts")
		complete(t, b, u, putPart(t, b, u, 1, one), putPart(t, b, u, 2, []byte("end")))
		check("CompleteUpload", "parts", slices.Concat(one, []byte("end")), false)
		u = create(t, b, "single")
		complete(t, b, u, putPart(t, b, u, 1, one))
		check("CompleteUpload of one part", "single", one, false)
	}
	r := driver.ConcatRequest{Key: "joined", Sources: []driver.Object{put(t, b, "a", one), put(t, b, "b", two)}}
	must[driver.Object](t, "Concat")(driver.Concat(t.Context(), b, r, driver.CopyPlan{PartSize: size, Concurrency: 2}))
	check("Concat", "joined", slices.Concat(one, two), f.Concat != nil)

	_, err := f.StatChecksums(t.Context(), "absent")
	wantKind(t, "StatChecksums of an absent key", err, driver.NotFound)
	_, err = f.StatChecksums(t.Context(), "")
	wantKind(t, "StatChecksums without a key", err, driver.Invalid)
}
