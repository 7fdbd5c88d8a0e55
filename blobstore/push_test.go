package blobstore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/distribution/distribution/v3"
	"github.com/distribution/distribution/v3/registry/storage"
	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/mem"
	"github.com/blobdock/blobdock/driver/retry"
)

// small limits make a few kilobytes a multipart upload.
var small = driver.PartLimits{MinSize: 1 << 10, MaxSize: 64 << 10, MaxParts: 1000, MaxObject: 64 << 20, MaxPut: 64 << 20}

func newBucket(t testing.TB) driver.Bucket {
	t.Helper()
	return mem.NewWith(mem.Options{Parts: small})
}

func newStore(t testing.TB, b driver.Bucket) *blobstore.Store {
	t.Helper()
	s, err := blobstore.New(b, blobstore.Options{
		PartSize: 2 << 10, MemoryBudget: 1 << 20, Concurrency: 3, Log: slog.New(slog.DiscardHandler),
		Retry: retry.Policy{Base: time.Millisecond}, // many tests have a store that fails for good
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func newRepository(t testing.TB, s *blobstore.Store, name string) *blobstore.Repository {
	t.Helper()
	ref, err := reference.WithName(name)
	if err != nil {
		t.Fatal(err)
	}
	return s.Repository(ref)
}

func content(seed uint64, n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)})
	_, _ = r.Read(b)
	return b
}

// request is the context that distribution hands along for an HTTP request.
func request(method, target string, length int64) context.Context {
	r := httptest.NewRequest(method, target, nil)
	r.ContentLength = length
	return context.WithValue(context.Background(), "http.request", r) //nolint:staticcheck // distribution's own key
}

// push sends content the way a client does: POST, PATCHes of chunk bytes, PUT.
// With chunk 0 everything comes with the PUT.
func push(s *blobstore.Store, repo *blobstore.Repository, p []byte, chunk int, d digest.Digest) error {
	w, err := repo.Create(request(http.MethodPost, "/", 0))
	if err != nil {
		return fmt.Errorf("create: %w", err)
	}
	id := w.ID()
	if err := w.Close(); err != nil {
		return fmt.Errorf("close: %w", err)
	}
	for off := 0; chunk > 0 && off < len(p); off += chunk {
		end := min(off+chunk, len(p))
		w, err := repo.Resume(request(http.MethodPatch, "/", int64(end-off)), id)
		if err != nil {
			return fmt.Errorf("resume at %d: %w", off, err)
		}
		if w.Size() != int64(off) {
			return fmt.Errorf("resumed at %d, want %d", w.Size(), off)
		}
		// As a body does, the reader leaves it to the writer to read from it.
		if n, err := io.Copy(w, struct{ io.Reader }{bytes.NewReader(p[off:end])}); err != nil || n != int64(end-off) {
			_ = w.Close()
			return fmt.Errorf("copy of %d bytes at %d: %d, %w", end-off, off, n, err)
		}
		if err := w.Close(); err != nil {
			return fmt.Errorf("close: %w", err)
		}
	}
	rest := p
	if chunk > 0 {
		rest = nil
	}
	ctx := request(http.MethodPut, "/?digest="+d.String(), int64(len(rest)))
	w, err = repo.Resume(ctx, id)
	if err != nil {
		return fmt.Errorf("resume for PUT: %w", err)
	}
	defer w.Close()
	if _, err := io.Copy(w, bytes.NewReader(rest)); err != nil {
		return fmt.Errorf("copy in PUT: %w", err)
	}
	desc, err := w.Commit(ctx, v1.Descriptor{Digest: d})
	if err != nil {
		_ = w.Cancel(ctx)
		return err
	}
	if desc.Digest != d || desc.Size != int64(len(p)) {
		return fmt.Errorf("committed %+v", desc)
	}
	return nil
}

// keys lists all that is in the bucket, uploads included.
func keys(t testing.TB, b driver.Bucket) []string {
	t.Helper()
	var out []string
	for e, err := range driver.List(t.Context(), b, driver.ListRequest{}) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, e.Key)
	}
	for u, err := range driver.ListUploads(t.Context(), b, driver.ListRequest{}) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, "upload of "+u.Key)
	}
	return out
}

// stores are the ways a store can offer to publish.
var stores = []struct {
	name string
	edit func(*driver.Features)
}{
	{"retarget", func(*driver.Features) {}},
	{"rename", func(f *driver.Features) { f.Retarget = nil }},
	{"copy", func(f *driver.Features) { f.Retarget, f.Rename = nil, nil }},
	{"copy-unconditional", func(f *driver.Features) { f.Retarget, f.Rename, f.Conds.Copy = nil, nil, 0 }},
	{"part-copy", func(f *driver.Features) { f.Retarget, f.Rename, f.Copy = nil, nil, nil }},
	{"large-part-copy", func(f *driver.Features) { f.Retarget, f.Rename, f.CopyMax = nil, nil, 3000 }},
	{"stream", func(f *driver.Features) { f.Retarget, f.Rename, f.Copy, f.CopyPart = nil, nil, nil, nil }},
	{"uniform", func(f *driver.Features) { f.Retarget, f.Rename, f.Parts.Uniform = nil, nil, true }},
	{"no-conditions", func(f *driver.Features) { f.Retarget, f.Rename, f.Conds = nil, nil, driver.Conds{} }},
	{"no-batch", func(f *driver.Features) { f.DeleteBatch, f.BatchMax = nil, 0 }},
}

func TestPush(t *testing.T) {
	for _, st := range stores {
		for _, size := range []int{0, 1, 2047, 2048, 2049, 4096, 10_000, 300_000} {
			for _, chunk := range []int{0, 300_000, 1000, 2048, 5000} {
				if size/max(chunk, 1) > 200 {
					continue
				}
				t.Run(fmt.Sprintf("%s/%d/by-%d", st.name, size, chunk), func(t *testing.T) {
					b := driver.With(newBucket(t), st.edit)
					s := newStore(t, b)
					repo := newRepository(t, s, "library/app")
					p := content(uint64(size+chunk), size)
					for _, d := range []digest.Digest{digest.FromBytes(p), digest.SHA512.FromBytes(p)} {
						if err := push(s, repo, p, chunk, d); err != nil {
							t.Fatal(err)
						}
						got, err := repo.Get(t.Context(), d)
						if err != nil || !bytes.Equal(got, p) {
							t.Fatalf("Get: %d bytes, %v", len(got), err)
						}
					}
					if got := keys(t, b); len(got) != 4 {
						t.Errorf("bucket has %q, want two blobs and two links", got)
					}
					if s.Usage().Memory != 0 {
						t.Errorf("%d bytes of memory still in use", s.Usage().Memory)
					}
				})
			}
		}
	}
}

func TestPushWrongDigest(t *testing.T) {
	for _, st := range stores {
		for _, chunk := range []int{0, 3000, 300_000} {
			t.Run(fmt.Sprintf("%s/by-%d", st.name, chunk), func(t *testing.T) {
				b := driver.With(newBucket(t), st.edit)
				s := newStore(t, b)
				repo := newRepository(t, s, "library/app")
				for _, size := range []int{10, 20_000} {
					for _, wrong := range []digest.Digest{digest.FromString("other"), digest.SHA512.FromString("other")} {
						err := push(s, repo, content(1, size), chunk, wrong)
						var bad distribution.ErrBlobInvalidDigest
						if !errors.As(err, &bad) {
							t.Fatalf("err = %v, want ErrBlobInvalidDigest", err)
						}
						if got := keys(t, b); len(got) != 0 {
							t.Errorf("bucket has %q, want nothing", got)
						}
					}
				}
			})
		}
	}
}

// pushPlain pushes by the interface alone, without an HTTP request behind it.
func pushPlain(ctx context.Context, repo *blobstore.Repository, p []byte) error {
	w, err := repo.Create(ctx)
	if err != nil {
		return err
	}
	defer w.Close()
	if _, err := w.ReadFrom(bytes.NewReader(p)); err != nil {
		return err
	}
	if _, err := w.Commit(ctx, v1.Descriptor{Digest: digest.FromBytes(p)}); err != nil {
		_ = w.Cancel(ctx)
		return err
	}
	return nil
}

// TestWithDigest streams to the digest's key at once, so that nothing is copied.
func TestWithDigest(t *testing.T) {
	p := content(2, 50_000)
	for _, d := range []digest.Digest{digest.FromBytes(p), digest.SHA512.FromBytes(p)} {
		copied := 0
		b := driver.Wrap(driver.With(newBucket(t), copyOnly), func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
			if c.Src != "" {
				copied++
			}
			return next(ctx)
		})
		repo := newRepository(t, newStore(t, b), "app")
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
		if got, err := repo.Get(t.Context(), d); err != nil || !bytes.Equal(got, p) {
			t.Errorf("%s: content differs: %v", d.Algorithm(), err)
		}
		if copied > 0 {
			t.Errorf("%s: %d copies", d.Algorithm(), copied)
		}
	}
}

// TestHealing commits over what broken uploads of other software left.
func TestHealing(t *testing.T) {
	p := content(4, 9000)
	d := digest.FromBytes(p)
	for _, st := range stores {
		for _, chunk := range []int{0, 2500, 9000} {
			for _, there := range [][]byte{{}, p[:500]} {
				b := driver.With(newBucket(t), st.edit)
				s := newStore(t, b)
				repo := newRepository(t, s, "app")
				for _, o := range []struct {
					key  string
					data []byte
				}{{blobKey(d), there}, {"docker/registry/v2/repositories/app/_layers/sha256/" + d.Encoded() + "/link", []byte(d)}} {
					if _, err := b.Put(t.Context(), o.key, io.NewSectionReader(bytes.NewReader(o.data), 0, int64(len(o.data))), driver.WriteOptions{}); err != nil {
						t.Fatal(err)
					}
				}
				if len(there) == 0 {
					if _, err := repo.Stat(t.Context(), d); err != distribution.ErrBlobUnknown {
						t.Errorf("%s: Stat of a blob without bytes: %v", st.name, err)
					}
				}
				if err := push(s, repo, p, chunk, d); err != nil {
					t.Fatalf("%s, by %d, over %d bytes: %v", st.name, chunk, len(there), err)
				}
				if got, err := repo.Get(t.Context(), d); err != nil || !bytes.Equal(got, p) {
					t.Errorf("%s, by %d, over %d bytes: Get: %d bytes, %v", st.name, chunk, len(there), len(got), err)
				}
				if got := keys(t, b); len(got) != 2 {
					t.Errorf("%s, by %d, over %d bytes: bucket has %q", st.name, chunk, len(there), got)
				}
			}
		}
	}
}

func TestMount(t *testing.T) {
	s := newStore(t, newBucket(t))
	from, to := newRepository(t, s, "from"), newRepository(t, s, "to")
	p := content(6, 100)
	desc, err := from.Put(t.Context(), "", p)
	if err != nil {
		t.Fatal(err)
	}
	name, _ := reference.WithName("from")
	ref, _ := reference.WithDigest(name, desc.Digest)
	_, err = to.Create(t.Context(), storage.WithMountFrom(ref))
	if mounted, ok := err.(distribution.ErrBlobMounted); !ok || mounted.Descriptor.Digest != desc.Digest || mounted.Descriptor.Size != desc.Size {
		t.Fatalf("Create with mount: %v", err)
	}
	if got, err := to.Get(t.Context(), desc.Digest); err != nil || !bytes.Equal(got, p) {
		t.Errorf("Get of what was mounted: %v", err)
	}
	missing, _ := reference.WithDigest(name, digest.FromString("missing"))
	w, err := to.Create(t.Context(), storage.WithMountFrom(missing))
	if err != nil || w == nil {
		t.Errorf("a mount of what is missing: %v, want an upload", err)
	}
}

func TestMembership(t *testing.T) {
	s := newStore(t, newBucket(t))
	one, two := newRepository(t, s, "one"), newRepository(t, s, "two")
	desc, err := one.Put(t.Context(), "", content(7, 100))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := two.Stat(t.Context(), desc.Digest); err != distribution.ErrBlobUnknown {
		t.Errorf("Stat in another repository: %v", err)
	}
	if err := two.ServeBlob(t.Context(), httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil), desc.Digest); err != distribution.ErrBlobUnknown {
		t.Errorf("ServeBlob in another repository: %v", err)
	}
	for _, d := range []digest.Digest{"", "sha256:", "x", "sha384:00", "sha256:../../../../x"} {
		if _, err := one.Stat(t.Context(), d); err != distribution.ErrBlobUnknown {
			t.Errorf("Stat(%q): %v", d, err)
		}
	}
	if err := one.Delete(t.Context(), desc.Digest); err != nil {
		t.Fatal(err)
	}
	if _, err := one.Stat(t.Context(), desc.Digest); err != distribution.ErrBlobUnknown {
		t.Errorf("Stat of a deleted blob: %v", err)
	}
	if err := one.Delete(t.Context(), desc.Digest); err != distribution.ErrBlobUnknown {
		t.Errorf("Delete of a deleted blob: %v", err)
	}
}
