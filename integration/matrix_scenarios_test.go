package integration_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/distribution/distribution/v3"
	names "github.com/distribution/reference"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/blobdock/blobdock/blobstore"
)

// scenario is something that a registry does with blobs.
type scenario struct {
	name    string
	prepare func(ctx context.Context, w *work, s *blobstore.Store) error // on a store without faults
	run     func(ctx context.Context, w *work, s *blobstore.Store) error
	// done checks on another replica what run has reported as done.
	done func(t *testing.T, w *work, s *blobstore.Store)
	// ended is what run says when it is done once more and has nothing to do; the
	// work is then finished in another way, if there is one.
	ended  []error
	finish func(ctx context.Context, w *work, s *blobstore.Store) error
	// thorough scenarios are much like others. On emulators make test-full plays them.
	thorough bool
}

func (s scenario) over(err error) bool {
	return slices.ContainsFunc(s.ended, func(ended error) bool { return errors.Is(err, ended) })
}

// work is what a scenario is about.
type work struct {
	content content
	id      string // of the upload that was begun last, as it stands
	got     digest.Digest
}

var scenarios = []scenario{
	{name: "push-stream", run: pushBy(1), done: isThere, thorough: true},
	{name: "push-mono", run: pushBy(0), done: isThere},
	{name: "push-chunked", run: pushBy(4), done: isThere, thorough: true},
	{name: "push-small", prepare: small, run: pushBy(1), done: isThere},
	{
		name: "resume", prepare: beginning(2), run: resuming, done: isThere, thorough: true,
		ended: []error{distribution.ErrBlobUploadUnknown}, finish: pushBy(1),
	},
	{
		name: "commit", prepare: beginning(1), run: resuming, done: isThere, thorough: true,
		ended: []error{distribution.ErrBlobUploadUnknown}, finish: pushBy(1),
	},
	{name: "mount", prepare: pushOther, run: mounting, done: isThere},
	{name: "cancel", prepare: beginning(2), run: cancelling, done: isCancelled, ended: []error{distribution.ErrBlobUploadUnknown}},
	{name: "delete", prepare: pushBy(0), run: deleting, done: isGone, ended: []error{distribution.ErrBlobUnknown}},
	{name: "sweep", prepare: abandoning, run: sweeping, done: isSwept},
	{name: "pull", prepare: pushBy(0), run: pulling, done: wasPulled},
	{name: "serve", prepare: pushBy(0), run: serving200, done: wasPulled, thorough: true},
}

func repositoryOf(s *blobstore.Store, name string) *blobstore.Repository {
	n, err := names.WithName(name)
	if err != nil {
		panic(err)
	}
	return s.Repository(n)
}

func app(s *blobstore.Store) *blobstore.Repository { return repositoryOf(s, "app") }

func blobKey(d digest.Digest) string {
	return "docker/registry/v2/blobs/sha256/" + d.Encoded()[:2] + "/" + d.Encoded() + "/data"
}

// request is ctx as distribution hands it on.
func request(ctx context.Context, method, query string, length int64) context.Context {
	r := httptest.NewRequest(method, "/"+query, nil)
	r.ContentLength = length
	return context.WithValue(ctx, "http.request", r) //nolint:staticcheck // distribution's own key
}

func small(_ context.Context, w *work, _ *blobstore.Store) error {
	w.content.size = 700
	return nil
}

// pushBy pushes by POST, so many PATCHes, and PUT; with none the body comes with
// the PUT.
func pushBy(patches int64) func(context.Context, *work, *blobstore.Store) error {
	return func(ctx context.Context, w *work, s *blobstore.Store) error {
		if err := created(ctx, w, s); err != nil {
			return err
		}
		for i := range patches {
			at := w.content.size * i / patches
			if err := patching(ctx, w, s, at, w.content.size*(i+1)/patches); err != nil {
				return fmt.Errorf("PATCH %d: %w", i, err)
			}
		}
		from := int64(0)
		if patches > 0 {
			from = w.content.size
		}
		return putting(ctx, w, s, from)
	}
}

func created(ctx context.Context, w *work, s *blobstore.Store) error {
	up, err := app(s).Create(request(ctx, http.MethodPost, "", 0))
	if err != nil {
		return fmt.Errorf("POST: %w", err)
	}
	w.id = up.ID()
	return up.Close()
}

func patching(ctx context.Context, w *work, s *blobstore.Store, from, to int64) error {
	up, err := app(s).Resume(request(ctx, http.MethodPatch, "", to-from), w.id)
	if err != nil {
		return err
	}
	defer up.Close()
	if up.Size() != from {
		return fmt.Errorf("upload is at %d, want %d", up.Size(), from)
	}
	_, err = up.ReadFrom(w.content.section(from, to-from))
	if err = errors.Join(err, up.Close()); err == nil {
		w.id = up.ID()
	}
	return err
}

func putting(ctx context.Context, w *work, s *blobstore.Store, from int64) error {
	d := w.content.digest()
	ctx = request(ctx, http.MethodPut, "?digest="+d.String(), w.content.size-from)
	up, err := app(s).Resume(ctx, w.id)
	if err != nil {
		return fmt.Errorf("PUT: %w", err)
	}
	defer up.Close()
	if from < w.content.size {
		if _, err := up.ReadFrom(w.content.section(from, w.content.size-from)); err != nil {
			return fmt.Errorf("PUT: %w", err)
		}
	}
	if _, err := up.Commit(ctx, v1.Descriptor{Digest: d}); err != nil {
		// As distribution does it.
		_ = up.Cancel(ctx)
		return fmt.Errorf("PUT: %w", err)
	}
	return nil
}

// beginning uploads one part in so many of the content.
func beginning(of int64) func(context.Context, *work, *blobstore.Store) error {
	return func(ctx context.Context, w *work, s *blobstore.Store) error {
		if err := created(ctx, w, s); err != nil {
			return err
		}
		return patching(ctx, w, s, 0, w.content.size/of)
	}
}

// resuming goes on from where the upload is to its end.
func resuming(ctx context.Context, w *work, s *blobstore.Store) error {
	up, err := app(s).Resume(request(ctx, http.MethodGet, "", 0), w.id)
	if err != nil {
		return err
	}
	at := up.Size()
	w.id = up.ID()
	if at < w.content.size {
		if err := patching(ctx, w, s, at, w.content.size); err != nil {
			return err
		}
	}
	return putting(ctx, w, s, w.content.size)
}

// isThere reads the blob.
func isThere(t *testing.T, w *work, s *blobstore.Store) {
	t.Helper()
	d := w.content.digest()
	got, err := app(s).Get(t.Context(), d)
	if err != nil || int64(len(got)) != w.content.size || digest.FromBytes(got) != d {
		t.Errorf("reported as done, and there are %d bytes (%v)", len(got), err)
	}
}

// pushOther pushes to another repository.
func pushOther(ctx context.Context, w *work, s *blobstore.Store) error {
	up, err := repositoryOf(s, "other").Create(ctx)
	if err != nil {
		return err
	}
	if _, err := up.ReadFrom(w.content.reader()); err != nil {
		return err
	}
	_, err = up.Commit(ctx, v1.Descriptor{Digest: w.content.digest()})
	return err
}

// mounting mounts, and pushes where that becomes an upload.
func mounting(ctx context.Context, w *work, s *blobstore.Store) error {
	other, err := names.WithName("other")
	if err != nil {
		return err
	}
	from, err := names.WithDigest(other, w.content.digest())
	if err != nil {
		return err
	}
	up, err := app(s).Create(request(ctx, http.MethodPost, "?mount="+w.content.digest().String(), 0), mountFrom{from})
	var mounted distribution.ErrBlobMounted
	if errors.As(err, &mounted) {
		return nil
	}
	if err != nil {
		return err
	}
	w.id = up.ID()
	if err := up.Close(); err != nil {
		return err
	}
	return putting(ctx, w, s, 0)
}

type mountFrom struct{ ref names.Canonical }

// Apply implements distribution.BlobCreateOption.
func (m mountFrom) Apply(v any) error {
	o := v.(*distribution.CreateOptions)
	o.Mount.ShouldMount, o.Mount.From = true, m.ref
	return nil
}

func cancelling(ctx context.Context, w *work, s *blobstore.Store) error {
	up, err := app(s).Resume(request(ctx, http.MethodDelete, "", 0), w.id)
	if err != nil {
		return err
	}
	return errors.Join(up.Cancel(ctx), up.Close())
}

func isCancelled(t *testing.T, w *work, s *blobstore.Store) {
	t.Helper()
	if _, err := app(s).Resume(t.Context(), w.id); !errors.Is(err, distribution.ErrBlobUploadUnknown) {
		t.Errorf("cancelled, and Resume says %v, want %v", err, distribution.ErrBlobUploadUnknown)
	}
}

func deleting(ctx context.Context, w *work, s *blobstore.Store) error {
	return app(s).Delete(ctx, w.content.digest())
}

func isGone(t *testing.T, w *work, s *blobstore.Store) {
	t.Helper()
	if _, err := app(s).Get(t.Context(), w.content.digest()); !errors.Is(err, distribution.ErrBlobUnknown) {
		t.Errorf("deleted, and Get says %v, want %v", err, distribution.ErrBlobUnknown)
	}
}

// abandoning leaves two uploads.
func abandoning(ctx context.Context, w *work, s *blobstore.Store) error {
	return errors.Join(beginning(2)(ctx, w, s), beginning(1)(ctx, w, s))
}

func sweeping(ctx context.Context, _ *work, s *blobstore.Store) error {
	_, err := s.Sweep(ctx, blobstore.SweepOptions{OlderThan: time.Nanosecond})
	return err
}

func isSwept(t *testing.T, w *work, s *blobstore.Store) {
	t.Helper()
	if _, err := app(s).Resume(t.Context(), w.id); !errors.Is(err, distribution.ErrBlobUploadUnknown) {
		t.Errorf("swept, and Resume says %v, want %v", err, distribution.ErrBlobUploadUnknown)
	}
}

func pulling(ctx context.Context, w *work, s *blobstore.Store) error {
	w.got = ""
	r, err := app(s).Open(ctx, w.content.digest())
	if err != nil {
		return err
	}
	defer r.Close()
	h := digest.SHA256.Digester()
	if _, err := io.Copy(h.Hash(), r); err != nil {
		return err
	}
	w.got = h.Digest()
	return nil
}

func wasPulled(t *testing.T, w *work, _ *blobstore.Store) {
	t.Helper()
	if w.got != w.content.digest() {
		t.Errorf("pulled %s, want %s", w.got, w.content.digest())
	}
}

// serving200 answers a GET. It has failed when the answer is not the whole blob and
// the client can tell.
func serving200(ctx context.Context, w *work, s *blobstore.Store) error {
	w.got = ""
	rec := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil)
	if err := app(s).ServeBlob(ctx, rec, r, w.content.digest()); err != nil {
		return err
	}
	if announced := rec.Header().Get("Content-Length"); announced != fmt.Sprint(rec.Body.Len()) {
		return fmt.Errorf("%d of %s bytes came", rec.Body.Len(), announced)
	}
	w.got = digest.FromBytes(rec.Body.Bytes())
	return nil
}
