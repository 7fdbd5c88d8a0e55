package blobstore_test

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"testing"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/mem"
)

// benchSizes are those of a config or small layer, and of one part.
var benchSizes = []int{64 << 10, 8 << 20}

// benchRepository is on a store that costs next to nothing, with the defaults.
func benchRepository(b *testing.B) (*blobstore.Repository, driver.Bucket) {
	b.Helper()
	bucket := mem.New()
	s, err := blobstore.New(bucket, blobstore.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	return newRepository(b, s, "bench/blobs"), bucket
}

// BenchmarkWriter pushes by POST and PUT, and removes what it has pushed, so that
// the next push publishes again; that is one entry of a map.
func BenchmarkWriter(b *testing.B) {
	for _, size := range benchSizes {
		b.Run(strconv.Itoa(size>>10)+"KiB", func(b *testing.B) {
			repo, bucket := benchRepository(b)
			p := content(1, size)
			d := digest.FromBytes(p)
			key := "docker/registry/v2/blobs/sha256/" + d.Encoded()[:2] + "/" + d.Encoded() + "/data"
			put := request(http.MethodPut, "/?digest="+d.String(), int64(size))
			b.ReportAllocs()
			b.SetBytes(int64(size))
			for b.Loop() {
				w, err := repo.Create(request(http.MethodPost, "/", 0))
				if err != nil {
					b.Fatal(err)
				}
				if err := w.Close(); err != nil {
					b.Fatal(err)
				}
				if w, err = repo.Resume(put, w.ID()); err != nil {
					b.Fatal(err)
				}
				if _, err := w.ReadFrom(bytes.NewReader(p)); err != nil {
					b.Fatal(err)
				}
				if _, err := w.Commit(put, v1.Descriptor{Digest: d}); err != nil {
					b.Fatal(err)
				}
				if err := w.Close(); err != nil {
					b.Fatal(err)
				}
				if _, err := bucket.Stat(b.Context(), key); err != nil {
					b.Fatal(err)
				}
				if err := bucket.Delete(b.Context(), key, driver.DeleteOptions{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkReader reads a blob from its beginning to its end.
func BenchmarkReader(b *testing.B) {
	for _, size := range benchSizes {
		b.Run(strconv.Itoa(size>>10)+"KiB", func(b *testing.B) {
			repo, _ := benchRepository(b)
			p := content(1, size)
			desc, err := repo.Put(b.Context(), "application/octet-stream", p)
			if err != nil {
				b.Fatal(err)
			}
			buf := make([]byte, 32<<10)
			b.ReportAllocs()
			b.SetBytes(int64(size))
			for b.Loop() {
				r, err := repo.Open(b.Context(), desc.Digest)
				if err != nil {
					b.Fatal(err)
				}
				n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, r, buf)
				if err != nil || n != int64(size) {
					b.Fatalf("read %d bytes, %v, want %d", n, err, size)
				}
				r.Close()
			}
		})
	}
}
