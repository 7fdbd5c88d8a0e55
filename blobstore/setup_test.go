package blobstore_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/distribution/distribution/v3"
	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/mem"
	"github.com/blobdock/blobdock/driver/retry"
)

// small limits make a few kilobytes an upload of several pieces.
var small = driver.PartLimits{MinSize: 1 << 10, MaxSize: 64 << 10, MaxParts: 1000, MaxObject: 64 << 20, MaxPut: 64 << 20}

// part is the size of the first pieces of newStore's uploads.
const part = 2 << 10

// imitation is the imitation of a store, with small limits.
func imitation(name string) driver.Bucket {
	o := mem.Imitations()[name]
	uniform := o.Parts.Uniform
	o.Parts = small
	o.Parts.Uniform = uniform
	if o.CopyMax > 0 {
		o.CopyMax = 3000
	}
	return mem.NewWith(o)
}

// onEachStore runs f on the imitation of each store, whose time passes at once.
func onEachStore(t *testing.T, f func(t *testing.T, newBucket func() driver.Bucket)) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(mem.Imitations())) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f(t, func() driver.Bucket { return imitation(name) })
			})
		})
	}
}

// newBucket is like S3.
func newBucket(t testing.TB) driver.Bucket {
	t.Helper()
	return imitation("minio")
}

// options are those of newStore. Many tests have a store that fails for good, so that
// retries are fast.
func options() blobstore.Options {
	return blobstore.Options{
		Secret: []byte("secret"), PartSize: part, MemoryBudget: 1 << 20, Concurrency: 3, Log: slog.New(slog.DiscardHandler),
		Retry: retry.Policy{Base: time.Millisecond},
	}
}

// newStore is a replica on b.
func newStore(t testing.TB, b driver.Bucket) *blobstore.Store { return newStoreWith(t, b, options()) }

func newStoreWith(t testing.TB, b driver.Bucket, o blobstore.Options) *blobstore.Store {
	t.Helper()
	s, err := blobstore.New(b, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() }) // nothing of it goes on
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

// request is the context of an HTTP request.
func request(method, target string, length int64) context.Context {
	r := httptest.NewRequest(method, target, nil)
	r.ContentLength = length
	return blobstore.WithRequest(context.Background(), r)
}

// putRequest is the context of the PUT that ends an upload.
func putRequest(d digest.Digest, length int) context.Context {
	return request(http.MethodPut, "/?digest="+d.String(), int64(length))
}

// begin is a POST.
func begin(t testing.TB, repo *blobstore.Repository) (id string) {
	t.Helper()
	w, err := repo.Create(request(http.MethodPost, "/", 0))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return w.ID()
}

func resume(t testing.TB, repo *blobstore.Repository, id string, length int) distribution.BlobWriter {
	t.Helper()
	w, err := repo.Resume(request(http.MethodPatch, "/", int64(length)), id)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// sendPATCH is a PATCH. It returns the id to go on from, also after an error.
func sendPATCH(repo *blobstore.Repository, id string, p []byte) (next string, err error) {
	w, err := repo.Resume(request(http.MethodPatch, "/", int64(len(p))), id)
	if err != nil {
		return id, err
	}
	// As a body does, the reader leaves it to the writer to read from it.
	n, err := io.Copy(w, struct{ io.Reader }{bytes.NewReader(p)})
	next = w.ID()
	if err == nil && n != int64(len(p)) {
		err = fmt.Errorf("%d of %d bytes were taken", n, len(p))
	}
	if cerr := w.Close(); err == nil {
		err = cerr
	}
	if err == nil && w.ID() != next {
		err = fmt.Errorf("Close made id %s of %s", w.ID(), next)
	}
	return next, err
}

// patch is a PATCH that succeeds.
func patch(t testing.TB, repo *blobstore.Repository, id string, p []byte) (next string) {
	t.Helper()
	next, err := sendPATCH(repo, id, p)
	if err != nil {
		t.Fatalf("PATCH of %d bytes: %v", len(p), err)
	}
	return next
}

// sendPUT is the PUT that ends an upload, with its last bytes, as distribution's handler
// makes it.
func sendPUT(repo *blobstore.Repository, id string, d digest.Digest, p []byte) error {
	ctx := putRequest(d, len(p))
	w, err := repo.Resume(ctx, id)
	if err != nil {
		return err
	}
	defer w.Close()
	if _, err := io.Copy(w, struct{ io.Reader }{bytes.NewReader(p)}); err != nil {
		return err
	}
	if _, err := w.Commit(ctx, v1.Descriptor{Digest: d}); err != nil {
		_ = w.Cancel(ctx)
		return err
	}
	return nil
}

// push sends content the way a client does: POST, PATCHes of chunk bytes, PUT. With chunk 0
// everything comes with the PUT.
func push(repo *blobstore.Repository, p []byte, chunk int, d digest.Digest) error {
	w, err := repo.Create(request(http.MethodPost, "/", 0))
	if err != nil {
		return fmt.Errorf("POST: %w", err)
	}
	id, rest := w.ID(), p
	if err := w.Close(); err != nil {
		return fmt.Errorf("close: %w", err)
	}
	for chunk > 0 && len(rest) > 0 {
		n := min(chunk, len(rest))
		if id, err = sendPATCH(repo, id, rest[:n]); err != nil {
			return fmt.Errorf("PATCH at %d: %w", len(p)-len(rest), err)
		}
		rest = rest[n:]
	}
	if err := sendPUT(repo, id, d, rest); err != nil {
		return fmt.Errorf("PUT: %w", err)
	}
	return nil
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

// status asks how far the upload has got.
func status(repo *blobstore.Repository, id string) (next string, size int64, err error) {
	w, err := repo.Resume(request(http.MethodGet, "/", 0), id)
	if err != nil {
		return "", 0, err
	}
	return w.ID(), w.Size(), w.Close()
}

// finishAll sends what is missing of p and commits, from where the upload is.
func finishAll(t testing.TB, repo *blobstore.Repository, id string, p []byte) {
	t.Helper()
	next, size, err := status(repo, id)
	if err != nil {
		t.Fatalf("status: %v", err)
	}
	if err := sendPUT(repo, next, digest.FromBytes(p), p[size:]); err != nil {
		t.Fatalf("PUT from %d on: %v", size, err)
	}
	wantContent(t, repo, digest.FromBytes(p), p)
}

func wantContent(t testing.TB, repo *blobstore.Repository, d digest.Digest, want []byte) {
	t.Helper()
	if got, err := repo.Get(context.Background(), d); err != nil || !bytes.Equal(got, want) {
		t.Errorf("Get: %d bytes, %v; want %d", len(got), err, len(want))
	}
}

// wantKeys closes the stores, which tidies up, and counts what is in the bucket then.
func wantKeys(t testing.TB, b driver.Bucket, n int, stores ...*blobstore.Store) {
	t.Helper()
	for _, s := range stores {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if u := s.Usage(); u.Memory != 0 || u.Cached != 0 || u.Waiting != 0 || u.Uploads != 0 {
			t.Errorf("at the end %+v", u)
		}
	}
	if got := keys(t, b); len(got) != n {
		t.Errorf("bucket has %d keys, want %d: %q", len(got), n, got)
	}
}

// keys lists all that is in the bucket, multipart uploads included.
func keys(t testing.TB, b driver.Bucket) []string {
	t.Helper()
	var out []string
	for e, err := range driver.List(context.Background(), b, driver.ListRequest{}) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, e.Key)
	}
	for u, err := range driver.ListUploads(context.Background(), b, driver.ListRequest{}) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, "upload of "+u.Key)
	}
	return out
}

func put(t testing.TB, b driver.Bucket, key string, p []byte) {
	t.Helper()
	if _, err := b.Put(t.Context(), key, io.NewSectionReader(bytes.NewReader(p), 0, int64(len(p))), driver.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
}

func blobKey(d digest.Digest) string {
	return "docker/registry/v2/blobs/" + d.Algorithm().String() + "/" + d.Encoded()[:2] + "/" + d.Encoded() + "/data"
}

func linkKey(repo string, d digest.Digest) string {
	return "docker/registry/v2/repositories/" + repo + "/_layers/" + d.Algorithm().String() + "/" + d.Encoded() + "/link"
}

// read is the content of the object at key.
func read(t testing.TB, b driver.Bucket, key string) []byte {
	t.Helper()
	rd, err := b.Open(t.Context(), key, driver.Range{}, driver.ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer rd.Close()
	p, err := io.ReadAll(rd)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
