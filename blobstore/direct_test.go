package blobstore_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/distribution/distribution/v3"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
)

// TestRepositoryPush stores blobs by one call each, on each store and under both digests.
func TestRepositoryPush(t *testing.T) {
	onEachStore(t, func(t *testing.T, newBucket func() driver.Bucket) {
		for _, size := range []int{0, 1, part, 10_000, 300_000} {
			b := newBucket()
			s := newStore(t, b)
			repo := newRepository(t, s, "app")
			p := content(uint64(size), size)
			for _, d := range []digest.Digest{digest.FromBytes(p), digest.SHA512.FromBytes(p)} {
				desc := v1.Descriptor{Digest: d, Size: int64(size)}
				for range 2 {
					if err := repo.Push(t.Context(), desc, bytes.NewReader(p)); err != nil {
						t.Fatalf("%d bytes: %v", size, err)
					}
				}
				wantContent(t, newRepository(t, newStore(t, b), "app"), d, p)
			}
			wantKeys(t, b, 4, s) // two blobs and two links
		}
	})
}

// TestRepositoryPushRefuses content that is not what it was said to be, and leaves nothing.
func TestRepositoryPushRefuses(t *testing.T) {
	onEachStore(t, func(t *testing.T, newBucket func() driver.Bucket) {
		p := content(1, 20_000)
		d := digest.FromBytes(p)
		invalid := func(err error) bool { return errors.As(err, new(distribution.ErrBlobInvalidDigest)) }
		length := func(err error) bool { return errors.Is(err, blobstore.ErrBodyLength) }
		broken := errors.New("the source broke")
		for _, tt := range []struct {
			name string
			desc v1.Descriptor
			r    io.Reader
			want func(error) bool
		}{
			{"other digest", v1.Descriptor{Digest: digest.FromString("other"), Size: 20_000}, bytes.NewReader(p), invalid},
			{"too short", v1.Descriptor{Digest: d, Size: 20_001}, bytes.NewReader(p), length},
			{"too long", v1.Descriptor{Digest: d, Size: 19_999}, bytes.NewReader(p), length},
			{"empty", v1.Descriptor{Digest: d, Size: 20_000}, bytes.NewReader(nil), length},
			{"no digest", v1.Descriptor{Size: 20_000}, bytes.NewReader(p), invalid},
			{"unsupported", v1.Descriptor{Digest: "md5:d41d8cd98f00b204e9800998ecf8427e", Size: 20_000}, bytes.NewReader(p), func(err error) bool { return errors.Is(err, distribution.ErrBlobDigestUnsupported) }},
			{"broken source", v1.Descriptor{Digest: d, Size: 20_000}, io.MultiReader(bytes.NewReader(p[:9000]), failing{broken}), func(err error) bool { return errors.Is(err, broken) }},
		} {
			b := newBucket()
			s := newStore(t, b)
			if err := newRepository(t, s, "app").Push(t.Context(), tt.desc, tt.r); !tt.want(err) {
				t.Errorf("%s: %v", tt.name, err)
			}
			wantKeys(t, b, 0, s)
		}
	})
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// TestRepositoryPushOfKnown sends no byte of content that another repository has.
func TestRepositoryPushOfKnown(t *testing.T) {
	b := newBucket(t)
	p := content(1, 100_000)
	desc := v1.Descriptor{Digest: digest.FromBytes(p), Size: int64(len(p))}
	if err := newRepository(t, newStore(t, b), "one").Push(t.Context(), desc, bytes.NewReader(p)); err != nil {
		t.Fatal(err)
	}
	n := make(map[driver.Op]int)
	counted := driver.Wrap(b, func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
		n[c.Op]++
		return next(ctx)
	})
	s := newStore(t, counted)
	if err := newRepository(t, s, "two").Push(t.Context(), desc, bytes.NewReader(p)); err != nil {
		t.Fatal(err)
	}
	if n[driver.OpStat] != 2 || n[driver.OpPut] != 1 || n[driver.OpList] != 1 || len(n) != 3 {
		t.Errorf("requests: %v, want two looks and the link, and one list of tombstones", n)
	}
	if err := newRepository(t, s, "three").Push(t.Context(), desc, bytes.NewReader(content(2, 100_000))); !errors.As(err, new(distribution.ErrBlobInvalidDigest)) {
		t.Errorf("another's content under a known digest: %v", err)
	}
	wantKeys(t, b, 3, s)
}

// TestBlob reads a blob that Lookup has found.
func TestBlob(t *testing.T) {
	b := newBucket(t)
	repo := newRepository(t, newStore(t, b), "app")
	p := content(1, 50_000)
	desc, err := repo.Put(t.Context(), "", p)
	if err != nil {
		t.Fatal(err)
	}
	blob, err := newRepository(t, newStore(t, b), "app").Lookup(t.Context(), desc.Digest)
	if err != nil {
		t.Fatal(err)
	}
	if blob.Size() != 50_000 || blob.ModTime().IsZero() {
		t.Errorf("%d bytes, stored at %v", blob.Size(), blob.ModTime())
	}
	if got, err := blob.Get(t.Context()); err != nil || !bytes.Equal(got, p) {
		t.Errorf("Get: %d bytes, %v", len(got), err)
	}
	r := blob.Open(t.Context())
	defer r.Close()
	if _, err := r.Seek(-10, io.SeekEnd); err != nil {
		t.Error(err)
	}
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, p[49_990:]) {
		t.Errorf("Open: %d bytes, %v", len(got), err)
	}
	put(t, b, blob.Key(), content(2, 50_000))
	if _, err := blob.Get(t.Context()); !errors.Is(err, driver.Mismatch) {
		t.Errorf("Get of what was replaced: %v, want Mismatch", err)
	}
	if blob, err = newRepository(t, newStore(t, b), "app").Lookup(t.Context(), desc.Digest); err != nil {
		t.Fatal(err)
	}
	if _, err := blob.Get(t.Context()); !errors.Is(err, driver.Corrupt) {
		t.Errorf("Get of other content: %v, want Corrupt", err)
	}
	if err := b.Delete(t.Context(), blob.Key(), driver.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := blob.Get(t.Context()); !errors.Is(err, driver.NotFound) {
		t.Errorf("Get of what is gone: %v, want NotFound", err)
	}
}

// TestWriters uploads by the calls with types of this package.
func TestWriters(t *testing.T) {
	b := newBucket(t)
	repo := newRepository(t, newStore(t, b), "app")
	p := content(1, 9000)
	w, err := repo.CreateWriter(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.ReadFrom(bytes.NewReader(p[:5000])); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	other := newRepository(t, newStore(t, b), "app")
	got, err := other.Status(t.Context(), w.ID())
	if err != nil || got.ID != w.ID() || got.Size != 5000 || !got.StartedAt.Equal(w.StartedAt()) {
		t.Errorf("Status: %+v, %v", got, err)
	}
	if w, err = other.ResumeWriter(t.Context(), got.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(p[5000:]); err != nil {
		t.Fatal(err)
	}
	if got, want := w.Digest(), digest.FromBytes(p); got != want {
		t.Errorf("digest %s, want %s", got, want)
	}
	if _, err := w.Commit(t.Context(), v1.Descriptor{Digest: w.Digest()}); err != nil {
		t.Fatal(err)
	}
	wantContent(t, repo, digest.FromBytes(p), p)
	for name, err := range map[string]error{
		"ResumeWriter": second(other.ResumeWriter(t.Context(), "x.1.y")), "Status": second(other.Status(t.Context(), "x.1.y")),
	} {
		if !errors.Is(err, distribution.ErrBlobUploadUnknown) {
			t.Errorf("%s of no upload: %v", name, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

// TestServeBlobTakesItsRequest answers a HEAD by the store, not from memory: what it is told
// to be is in the request that it receives, whatever the context has.
func TestServeBlobTakesItsRequest(t *testing.T) {
	b := newBucket(t)
	repo := newRepository(t, newStore(t, b), "app")
	desc, err := repo.Put(t.Context(), "", content(1, 100))
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Delete(t.Context(), blobKey(desc.Digest), driver.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	req := httptest.NewRequest(http.MethodHead, "/", nil)
	if err := repo.ServeBlob(t.Context(), httptest.NewRecorder(), req, desc.Digest); !errors.Is(err, distribution.ErrBlobUnknown) {
		t.Errorf("HEAD of a blob that is gone: %v, want ErrBlobUnknown", err)
	}
}
