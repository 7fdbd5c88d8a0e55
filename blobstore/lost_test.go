package blobstore_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/distribution/distribution/v3"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/fault"
)

// lost has the nth write of a session get no reply: it has not happened, or it
// happens later, when it is made again.
func lost(b driver.Bucket, nth int, later bool) driver.Bucket {
	writes := 0
	var pending func(context.Context) error
	return driver.Wrap(b, func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
		if c.Op != driver.OpPut || !bytes.HasSuffix([]byte(c.Key), []byte("/session")) {
			return next(ctx)
		}
		if pending != nil {
			_ = pending(ctx)
			pending = nil
			return next(ctx)
		}
		if writes++; writes != nth {
			return next(ctx)
		}
		if later {
			pending = next
		}
		return &driver.Error{Op: c.Op, Key: c.Key, Kind: driver.Unavailable, MayHave: true, Err: io.ErrUnexpectedEOF}
	})
}

// TestLostSession pushes in chunks and loses each write of the session in turn.
func TestLostSession(t *testing.T) {
	p := content(7, 20_000)
	d := digest.FromBytes(p)
	for nth := 1; nth < 6; nth++ {
		for _, later := range []bool{false, true} {
			b := newBucket(t)
			s := newStore(t, lost(b, nth, later))
			if err := push(s, newRepository(t, s, "team/app"), p, 5000, d); err != nil {
				t.Errorf("write %d is lost, happens later: %v: %v", nth, later, err)
			}
			if got, err := newRepository(t, newStore(t, b), "team/app").Get(t.Context(), d); err != nil || !bytes.Equal(got, p) {
				t.Errorf("write %d is lost, happens later: %v: got %d bytes, %v", nth, later, len(got), err)
			}
		}
	}
}

// TestVanishedStream has a blob go while a lookup of it is kept, or the store. The
// answer is an error and no empty 200.
func TestVanishedStream(t *testing.T) {
	for name, tt := range map[string]struct {
		kind driver.Kind
		want error
	}{"gone": {driver.NotFound, distribution.ErrBlobUnknown}, "store is down": {driver.Unavailable, driver.Unavailable}} {
		script := fault.Script{}
		b := driver.Wrap(newBucket(t), func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
			if len(script) > 0 && c.Op == driver.OpOpen {
				return driver.Fail(c.Op, c.Key, tt.kind)
			}
			return next(ctx)
		})
		repo, d := serving(t, b, blobstore.Options{}, content(8, 1000))
		serve(t, repo, d, http.MethodGet, nil)
		script = fault.Script{{}}
		w := httptest.NewRecorder()
		err := repo.ServeBlob(t.Context(), w, httptest.NewRequest(http.MethodGet, "/", nil), d)
		if !errors.Is(err, tt.want) || w.Body.Len() > 0 || w.Header().Get("Content-Length") != "" || w.Header().Get("ETag") != "" {
			t.Errorf("%s: %v, %d bytes, headers %v; want %v and nothing", name, err, w.Body.Len(), w.Header(), tt.want)
		}
	}
}

// TestSeveralRanges are answered by the whole.
func TestSeveralRanges(t *testing.T) {
	p := content(9, 1000)
	repo, d := serving(t, newBucket(t), blobstore.Options{}, p)
	res := serve(t, repo, d, http.MethodGet, map[string]string{"Range": "bytes=0-3,10-20"})
	if got, err := io.ReadAll(res.Body); res.StatusCode != http.StatusOK || err != nil || !bytes.Equal(got, p) {
		t.Errorf("%s, %d bytes, %v", res.Status, len(got), err)
	}
}

// TestChunksTellTheEnd end the context while chunks are under way: not all come,
// and that is said.
func TestChunksTellTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		repo, d := serving(t, newBucket(t), blobstore.Options{}, content(6, 30_000))
		blob, err := repo.Lookup(t.Context(), d)
		if err != nil {
			t.Fatal(err)
		}
		var ranges []driver.Range
		for off := int64(0); off < 30_000; off += 1000 {
			ranges = append(ranges, driver.Range{Off: off, Len: 10})
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		n := 0
		var failed error
		for _, err := range blob.Chunks(ctx, ranges) {
			if failed = err; err != nil {
				break
			}
			n++
			synctest.Wait() // what is under way has landed
			cancel()
		}
		if n < len(ranges) && !errors.Is(failed, context.Canceled) {
			t.Errorf("%d of %d chunks, and %v", n, len(ranges), failed)
		}
	})
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

// TestBrokenSessionRead breaks the connection in each byte of a session that is
// read, once and for good. It is resumed, or the store is said to be away: the
// session is not taken for a bad one.
func TestBrokenSessionRead(t *testing.T) {
	p := content(11, 3000)
	d := digest.FromBytes(p)
	for _, times := range []int{1, 100} {
		for at := int64(0); at < 1500; at += 7 {
			b := newBucket(t)
			s := newStore(t, b)
			w, err := newRepository(t, s, "team/app").Create(request(http.MethodPost, "/", 0))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.Write(p[:1000]); err != nil {
				t.Fatal(err)
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			var script fault.Script
			for i := range times {
				script = append(script, fault.Rule{Op: driver.OpOpen, Key: "*/session", Nth: i + 1, Where: fault.MidBody, Offset: at, Err: io.ErrUnexpectedEOF})
			}
			broken := newRepository(t, newStore(t, fault.Wrap(b, script)), "team/app")
			err = finish(broken, w.ID(), p[1000:], d)
			switch {
			case times == 1 && err != nil:
				t.Fatalf("broken once at byte %d: %v", at, err)
			case errors.Is(err, blobstore.ErrBadSession) || errors.Is(err, driver.Corrupt):
				t.Fatalf("broken at byte %d: %v", at, err)
			case err != nil && !errors.Is(err, driver.Unavailable):
				t.Fatalf("broken at byte %d: %v, want %v", at, err, driver.Unavailable)
			}
		}
	}
}

// finish sends the rest of an upload and commits it.
func finish(repo *blobstore.Repository, id string, rest []byte, d digest.Digest) error {
	w, err := repo.Resume(request(http.MethodPut, "/", int64(len(rest))), id)
	if err != nil {
		return err
	}
	defer w.Close()
	if _, err := w.Write(rest); err != nil {
		return err
	}
	_, err = w.Commit(context.Background(), v1.Descriptor{Digest: d})
	return err
}
