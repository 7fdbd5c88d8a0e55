package blobstore_test

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"
	"time"

	"github.com/distribution/distribution/v3"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/fault"
	"github.com/blobdock/blobdock/driver/retry"
)

// sizes are a blob of nothing, of one request, of exactly a part, and of many.
var sizes = []int{0, 1, part, part + 1, 50_000}

func TestPutBlob(t *testing.T) {
	onEachStore(t, func(t *testing.T, newBucket func() driver.Bucket) {
		b := newBucket()
		s := newStore(t, b)
		for _, algorithm := range []digest.Algorithm{digest.SHA256, digest.SHA512} {
			for i, size := range sizes {
				p := content(uint64(i), size)
				d := algorithm.FromBytes(p)
				for range 2 { // the second time it is there
					if err := s.PutBlob(t.Context(), d, int64(size), iotest.OneByteReader(bytes.NewReader(p)), blobstore.BlobOptions{}); err != nil {
						t.Fatalf("%d bytes: %v", size, err)
					}
				}
				wantBlob(t, b, d, p)
			}
		}
		wantKeys(t, b, 2*len(sizes), s)
	})
}

func wantBlob(t *testing.T, b driver.Bucket, d digest.Digest, want []byte) {
	t.Helper()
	r, err := b.Open(t.Context(), blobKey(d), driver.Range{}, driver.ReadOptions{})
	if err != nil {
		t.Errorf("blob of %d bytes: %v", len(want), err)
		return
	}
	defer r.Close()
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, want) {
		t.Errorf("blob of %d bytes: read %d others, %v", len(want), len(got), err)
	}
}

func TestPutBlobRefuses(t *testing.T) {
	broken := errors.New("connection lost")
	for _, size := range []int{100, 50_000} {
		p := content(7, size)
		d := digest.FromBytes(p)
		for name, tt := range map[string]struct {
			digest  digest.Digest
			content io.Reader
			want    func(error) bool
		}{
			"other content": {digest.FromString("other"), bytes.NewReader(p), func(err error) bool { return errors.As(err, new(distribution.ErrBlobInvalidDigest)) }},
			"too short":     {d, bytes.NewReader(p[1:]), func(err error) bool { return errors.Is(err, blobstore.ErrBodyLength) }},
			"too long":      {d, io.MultiReader(bytes.NewReader(p), bytes.NewReader(p)), func(err error) bool { return errors.Is(err, blobstore.ErrBodyLength) }},
			"broken":        {d, io.MultiReader(bytes.NewReader(p[1:]), iotest.ErrReader(broken)), func(err error) bool { return errors.Is(err, broken) }},
			"no digest":     {"sha256:0", bytes.NewReader(p), func(err error) bool { return errors.As(err, new(distribution.ErrBlobInvalidDigest)) }},
		} {
			b := newBucket(t)
			s := newStore(t, b)
			if err := s.PutBlob(t.Context(), tt.digest, int64(size), tt.content, blobstore.BlobOptions{}); !tt.want(err) {
				t.Errorf("%s of %d bytes: got %v", name, size, err)
			}
			wantKeys(t, b, 0, s)
		}
	}
}

func TestPutBlobReplaces(t *testing.T) {
	onEachStore(t, func(t *testing.T, newBucket func() driver.Bucket) {
		for _, size := range []int{100, 50_000} {
			b := newBucket()
			s := newStore(t, b)
			p := content(3, size)
			d := digest.FromBytes(p)
			for name, tt := range map[string]struct {
				there   []byte
				options blobstore.BlobOptions
			}{
				"wrong size":    {p[1:], blobstore.BlobOptions{}},
				"wrong content": {content(4, size), blobstore.BlobOptions{Replace: true}},
			} {
				time.Sleep(2 * time.Second) // some stores take one write of a key in a second
				put(t, b, blobKey(d), tt.there)
				if err := s.PutBlob(t.Context(), d, int64(size), bytes.NewReader(p), tt.options); err != nil {
					t.Errorf("%s of %d bytes: %v", name, size, err)
				}
				wantBlob(t, b, d, p)
			}
		}
	})
}

// TestPutBlobFaults lets every call fail. Whatever happens, no wrong bytes show under the
// digest, it can be done again, and a sweep leaves the blob alone.
func TestPutBlobFaults(t *testing.T) {
	p := content(9, 9000)
	d := digest.FromBytes(p)
	for _, name := range []string{"minio", "gcs", "plain"} {
		scenario := func(b driver.Bucket) error {
			o := options()
			o.Concurrency, o.Retry = 1, retry.Policy{Attempts: 1, Base: time.Microsecond, Total: time.Millisecond}
			s, err := blobstore.New(b, o)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = s.Close() }()
			return s.PutBlob(t.Context(), d, int64(len(p)), bytes.NewReader(p), blobstore.BlobOptions{})
		}
		t.Run(name, func(t *testing.T) {
			fault.EachPoint(t, func() driver.Bucket { return withoutInterval(name) }, scenario, func(t *testing.T, b driver.Bucket, _ fault.Point, err error) {
				if _, serr := b.Stat(t.Context(), blobKey(d)); err == nil || serr == nil {
					wantBlob(t, b, d, p)
				}
				if err := scenario(b); err != nil {
					t.Errorf("done again: %v", err)
				}
				wantBlob(t, b, d, p)
				if _, err := newStore(t, b).Sweep(t.Context(), blobstore.SweepOptions{OlderThan: time.Nanosecond}); err != nil {
					t.Errorf("Sweep: %v", err)
				}
				wantKeys(t, b, 1)
			})
		})
	}
}

// TestPushAny pushes content that tells by its end what it is.
func TestPushAny(t *testing.T) {
	onEachStore(t, func(t *testing.T, newBucket func() driver.Bucket) {
		for _, size := range []int{0, 100, 9 * part} {
			b := newBucket()
			repo := newRepository(t, newStore(t, b), "team/app")
			p := content(11, size)
			d, d512 := digest.FromBytes(p), digest.SHA512.FromBytes(p)
			for _, tt := range []struct {
				desc v1.Descriptor
				want digest.Digest
			}{
				{v1.Descriptor{Size: -1}, d}, {v1.Descriptor{Size: int64(size)}, d},
				{v1.Descriptor{Digest: d, Size: -1}, d}, {v1.Descriptor{Digest: d512, Size: -1}, d512}, {v1.Descriptor{Digest: d, Size: int64(size)}, d},
			} {
				got, err := repo.PushAny(t.Context(), tt.desc, bytes.NewReader(p))
				if err != nil || got.Digest != tt.want || got.Size != int64(size) {
					t.Fatalf("%d bytes as %v: %v, %v", size, tt.desc, got, err)
				}
				wantContent(t, repo, tt.want, p)
			}
			for _, desc := range []v1.Descriptor{{Digest: digest.FromString("other"), Size: -1}, {Size: int64(size) + 1}, {Digest: "sha256:x", Size: -1}} {
				if _, err := repo.PushAny(t.Context(), desc, bytes.NewReader(p)); err == nil {
					t.Errorf("%d bytes as %v: no error", size, desc)
				}
			}
		}
	})
}
