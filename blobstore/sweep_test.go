package blobstore_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/distribution/distribution/v3"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
)

func put(t testing.TB, b driver.Bucket, key string, p []byte) {
	t.Helper()
	if _, err := b.Put(t.Context(), key, io.NewSectionReader(bytes.NewReader(p), 0, int64(len(p))), driver.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
}

func TestSweep(t *testing.T) {
	b := driver.With(newBucket(t), copyOnly)
	s := newStore(t, b)
	repo := newRepository(t, s, "app")
	if _, err := repo.Put(t.Context(), "", content(1, 100)); err != nil {
		t.Fatal(err)
	}
	kept := len(keys(t, b))

	// What distribution's own drivers leave, one whose session is damaged, one that
	// nothing points to, and one with parts.
	const root = "docker/registry/v2/repositories/app/_uploads/"
	put(t, b, root+"11111111-1111-4111-8111-111111111111/startedat", []byte("2020-01-01T00:00:00Z"))
	put(t, b, root+"22222222-2222-4222-8222-222222222222/session", []byte("damaged"))
	if _, err := b.CreateUpload(t.Context(), blobKey(digest.FromString("x")), driver.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	w, err := repo.Create(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.ReadFrom(bytes.NewReader(content(2, 9000))); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}

	if got, err := s.Sweep(t.Context(), blobstore.SweepOptions{}); err != nil || got != (blobstore.SweepResult{}) {
		t.Errorf("Sweep of what is younger than a day: %+v, %v", got, err)
	}
	want := blobstore.SweepResult{Sessions: 2, Folders: 1, Parts: 2}
	found := 0
	before := len(keys(t, b))
	got, err := s.Sweep(t.Context(), blobstore.SweepOptions{OlderThan: time.Nanosecond, DryRun: true, Found: func(blobstore.Orphan) { found++ }})
	if err != nil || got != want || found != 5 || len(keys(t, b)) != before {
		t.Errorf("dry run: %+v, %v, %d reported, %d keys of %d left", got, err, found, len(keys(t, b)), before)
	}
	want.Parts = 1 // the session's own go with it
	if got, err := s.Sweep(t.Context(), blobstore.SweepOptions{OlderThan: time.Nanosecond}); err != nil || got != want {
		t.Errorf("Sweep: %+v, %v, want %+v", got, err, want)
	}
	if got := keys(t, b); len(got) != kept {
		t.Errorf("bucket has %q", got)
	}
}

// TestSweepSparesYoung has an upload whose parts were begun long ago go on.
func TestSweepSparesYoung(t *testing.T) {
	b := driver.With(newBucket(t), copyOnly)
	s := newStore(t, b)
	repo := newRepository(t, s, "app")
	p := content(3, 20_000)
	w, err := repo.Create(t.Context(), blobstore.WithDigest(digest.FromBytes(p)))
	if err != nil {
		t.Fatal(err)
	}
	id := w.ID()
	for _, part := range [][]byte{p[:9000], p[9000:]} {
		if w, err = repo.Resume(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		if _, err := w.ReadFrom(bytes.NewReader(part)); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(30 * time.Millisecond)
	}
	// The upload's parts are older than this, its session is not.
	if got, err := s.Sweep(t.Context(), blobstore.SweepOptions{OlderThan: 45 * time.Millisecond}); err != nil || got != (blobstore.SweepResult{}) {
		t.Errorf("Sweep: %+v, %v", got, err)
	}
	if w, err = repo.Resume(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Commit(t.Context(), v1.Descriptor{Digest: digest.FromBytes(p)}); err != nil {
		t.Error(err)
	}
}

// TestRaceAtDigest has two requests send the last bytes of one upload, straight
// to the digest's key. Nothing of the loser's stays.
func TestRaceAtDigest(t *testing.T) {
	p := content(8, 30_000)
	d := digest.FromBytes(p)
	for range 20 {
		b := driver.With(newBucket(t), copyOnly)
		s := newStore(t, b)
		repo := newRepository(t, s, "app")
		w, err := repo.Create(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		id := w.ID()
		errs := make([]error, 4)
		var wg sync.WaitGroup
		for i := range errs {
			wg.Go(func() {
				ctx := request(http.MethodPut, "/?digest="+d.String(), int64(len(p)))
				w, err := repo.Resume(ctx, id)
				if err == nil {
					if _, err = w.ReadFrom(bytes.NewReader(p)); err == nil {
						_, err = w.Commit(ctx, v1.Descriptor{Digest: d})
					}
					_ = w.Close()
				}
				errs[i] = err
			})
		}
		wg.Wait()
		won := 0
		for _, err := range errs {
			if err == nil {
				won++
			} else if !errors.Is(err, blobstore.ErrUploadConflict) && !errors.Is(err, distribution.ErrBlobUploadUnknown) {
				t.Errorf("unexpected: %v", err)
			}
		}
		if won == 0 {
			t.Fatalf("nobody won: %v", errs)
		}
		if got, err := repo.Get(t.Context(), d); err != nil || !bytes.Equal(got, p) {
			t.Fatalf("content differs: %v", err)
		}
		if got := keys(t, b); len(got) != 2 {
			t.Errorf("bucket has %q, errors %v", got, errs)
		}
	}
}

// agelessUploads is a store that does not tell when uploads began, as Azure.
type agelessUploads struct{ driver.Bucket }

func (b agelessUploads) UploadsPage(ctx context.Context, q driver.ListRequest) (driver.Page[driver.Upload], error) {
	page, err := b.Bucket.UploadsPage(ctx, q)
	for i := range page.Items {
		page.Items[i].Started = time.Time{}
	}
	return page, err
}

// TestSweepSparesWhatBegins has an upload begin while a sweep runs, on a store that
// does not tell its age.
func TestSweepSparesWhatBegins(t *testing.T) {
	inner := agelessUploads{newBucket(t)}
	p := content(10, 20_000)
	var w distribution.BlobWriter
	begun := false
	b := driver.Wrap(inner, func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
		if c.Op == driver.OpListUploads && !begun {
			begun = true
			s := newStore(t, inner)
			var err error
			if w, err = newRepository(t, s, "team/app").Create(t.Context()); err != nil {
				t.Fatal(err)
			}
			if _, err := w.Write(p[:10_000]); err != nil {
				t.Fatal(err)
			}
		}
		return next(ctx)
	})
	result, err := newStore(t, b).Sweep(t.Context(), blobstore.SweepOptions{OlderThan: time.Hour})
	if err != nil || result != (blobstore.SweepResult{}) || !begun {
		t.Errorf("swept %+v, %v", result, err)
	}
	if _, err := w.Write(p[10_000:]); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Errorf("the upload that began: %v", err)
	}
}
