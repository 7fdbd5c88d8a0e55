package blobstore_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/distribution/distribution/v3"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
)

// TestPush pushes blobs of many sizes in all ways to each store, under both of their
// digests.
func TestPush(t *testing.T) {
	onEachStore(t, func(t *testing.T, newBucket func() driver.Bucket) {
		for _, size := range []int{0, 1, part - 1, part, part + 1, 4096, 10_000, 300_000} {
			for _, chunk := range []int{0, 300_000, 1000, part, 5000} {
				if size/max(chunk, 1) > 60 {
					continue
				}
				b := newBucket()
				s := newStore(t, b)
				repo := newRepository(t, s, "library/app")
				p := content(uint64(size+chunk), size)
				for _, d := range []digest.Digest{digest.FromBytes(p), digest.SHA512.FromBytes(p)} {
					if err := push(repo, p, chunk, d); err != nil {
						t.Fatalf("%d bytes by %d: %v", size, chunk, err)
					}
					wantContent(t, repo, d, p)
				}
				wantKeys(t, b, 4, s) // two blobs and two links
			}
		}
	})
}

func TestPushWrongDigest(t *testing.T) {
	onEachStore(t, func(t *testing.T, newBucket func() driver.Bucket) {
		for _, chunk := range []int{0, 3000, 300_000} {
			for _, size := range []int{10, 20_000} {
				for _, wrong := range []digest.Digest{digest.FromString("other"), digest.SHA512.FromString("other")} {
					b := newBucket()
					s := newStore(t, b)
					err := push(newRepository(t, s, "library/app"), content(1, size), chunk, wrong)
					if !errors.As(err, new(distribution.ErrBlobInvalidDigest)) {
						t.Fatalf("%d bytes by %d: %v, want ErrBlobInvalidDigest", size, chunk, err)
					}
					wantKeys(t, b, 0, s)
				}
			}
		}
	})
}

// TestWithDigest announces a digest of each algorithm. Another one is refused, and the one
// that was announced is not taken for granted.
func TestWithDigest(t *testing.T) {
	p := content(2, 50_000)
	for _, d := range []digest.Digest{digest.FromBytes(p), digest.SHA512.FromBytes(p)} {
		b := newBucket(t)
		s := newStore(t, b)
		repo := newRepository(t, s, "app")
		w, err := repo.Create(t.Context(), blobstore.WithDigest(d))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.ReadFrom(bytes.NewReader(p)); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		w, err = repo.Resume(t.Context(), w.ID())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Commit(t.Context(), v1.Descriptor{Digest: d}); err != nil {
			t.Fatal(err)
		}
		_ = w.Close()
		wantContent(t, repo, d, p)
		wantKeys(t, b, 2, s)

		w, err = repo.Create(t.Context(), blobstore.WithDigest(d))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(p[1:]); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Commit(t.Context(), v1.Descriptor{Digest: d}); !errors.As(err, new(distribution.ErrBlobInvalidDigest)) {
			t.Errorf("%s: other content: %v", d.Algorithm(), err)
		}
		_ = w.Close()
		wantKeys(t, b, 2, s)
	}
	if _, err := newRepository(t, newStore(t, newBucket(t)), "app").Create(t.Context(), blobstore.WithDigest("sha384:00")); err != distribution.ErrBlobDigestUnsupported {
		t.Errorf("sha384: %v", err)
	}
}

// TestSizes has Commit compare the size as well. The media type comes back as it was given.
func TestSizes(t *testing.T) {
	p := content(3, 5000)
	for _, size := range []int64{0, 5000, 4999, 5001} {
		b := newBucket(t)
		s := newStore(t, b)
		w, err := newRepository(t, s, "app").Create(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(p); err != nil {
			t.Fatal(err)
		}
		desc, err := w.Commit(t.Context(), v1.Descriptor{MediaType: v1.MediaTypeImageLayerZstd, Digest: digest.FromBytes(p), Size: size})
		_ = w.Close()
		if size == 0 || size == 5000 {
			if err != nil || desc.Size != 5000 || desc.MediaType != v1.MediaTypeImageLayerZstd {
				t.Errorf("size %d: %+v, %v", size, desc, err)
			}
			wantKeys(t, b, 2, s)
			continue
		}
		if err != distribution.ErrBlobInvalidLength {
			t.Errorf("size %d: %v", size, err)
		}
		wantKeys(t, b, 0, s)
	}
}
