package blobstore_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"testing"
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

// TestExistsAndDoesNot publishes where a store refuses to write what is not there:
// an unfinished upload of another's to the same key counts as a blob.
func TestExistsAndDoesNot(t *testing.T) {
	p := content(21, 9000)
	d := digest.FromBytes(p)
	b := driver.With(newBucket(t), copyOnly)
	refusing := driver.Wrap(b, func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
		if c.Key == blobKey(d) && c.Cond.IfAbsent {
			return &driver.Error{Op: c.Op, Key: c.Key, Kind: driver.Exists}
		}
		return next(ctx)
	})
	for name, chunk := range map[string]int{"monolithic": 0, "stream": len(p)} {
		s := newStore(t, refusing)
		if err := push(s, newRepository(t, s, "app"), p, chunk, d); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := b.Delete(t.Context(), blobKey(d), driver.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
	}
}

// TestStraysAreRemembered resumes an upload by a way that does not know the key at
// which a writer that vanished may have begun another.
func TestStraysAreRemembered(t *testing.T) {
	p := content(22, 9000)
	d := digest.FromBytes(p)
	b := exactUploads{driver.With(newBucket(t), copyOnly)}
	s := newStore(t, b)
	repo := newRepository(t, s, "app")
	w, err := repo.Create(request(http.MethodPost, "/", 0))
	if err != nil {
		t.Fatal(err)
	}
	id := w.ID()
	// A PUT with all content vanishes after it began an upload at the digest's key.
	dead, err := repo.Resume(request(http.MethodPut, "/?digest="+d.String(), int64(len(p))), id)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := dead.Write(p[:5000]); n != 5000 || err != nil {
		t.Fatalf("%d bytes, %v", n, err)
	}
	if err := finish(repo, id, p, d); err != nil {
		t.Fatal(err)
	}
	if got := uploadsAt(t, b, blobKey(d)); got != 1 {
		t.Fatalf("%d uploads at the digest's key, want that of the writer that vanished", got)
	}
	if _, err := s.Sweep(t.Context(), blobstore.SweepOptions{OlderThan: time.Nanosecond}); err != nil {
		t.Fatal(err)
	}
	if got := uploadsAt(t, b, blobKey(d)); got != 0 {
		t.Errorf("%d uploads at the digest's key after the sweep, want none", got)
	}
	if got := keys(t, b); len(got) != 2 {
		t.Errorf("there is %q, want a blob and a link", got)
	}
}

// exactUploads lists uploads by their exact key alone, as MinIO does.
type exactUploads struct{ driver.Bucket }

func (b exactUploads) UploadsPage(ctx context.Context, q driver.ListRequest) (driver.Page[driver.Upload], error) {
	page, err := b.Bucket.UploadsPage(ctx, q)
	page.Items = slices.DeleteFunc(page.Items, func(u driver.Upload) bool { return u.Key != q.Prefix })
	return page, err
}

func uploadsAt(t *testing.T, b driver.Bucket, key string) (n int) {
	t.Helper()
	for _, err := range driver.ListUploads(t.Context(), b, driver.ListRequest{Prefix: key}) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	return n
}

// TestCrashBetweenCompleteAndCopy goes on with an upload whose parts a process has
// put together before it vanished. What it put together is looked at again: it may
// be other bytes than those that were acknowledged.
func TestCrashBetweenCompleteAndCopy(t *testing.T) {
	p := content(23, 8100)
	others := append(bytes.Clone(p[:8000]), content(24, 100)...)
	for _, tt := range []struct {
		name  string
		other []byte
		spent driver.Kind // what the store says of parts that were put together
	}{
		{"same", p, driver.NotFound},
		{"same, as Azure says it", p, driver.Mismatch},
		{"others", others, driver.NotFound},
		{"others, as Azure says it", others, driver.Mismatch},
	} {
		name, other := tt.name, tt.other
		b := driver.Wrap(driver.With(newBucket(t), copyOnly), func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
			err := next(ctx)
			if errors.Is(err, driver.NotFound) && (c.Op == driver.OpPutPart || c.Op == driver.OpCompleteUpload) {
				return &driver.Error{Op: c.Op, Key: c.Key, Kind: tt.spent}
			}
			return err
		})
		dying := fault.Wrap(b, fault.Script{{Op: driver.OpCopy}, {Op: driver.OpCopyPart}, {Op: driver.OpDeleteBatch}, {Op: driver.OpDelete}})
		dead, alive := newRepository(t, newStore(t, dying), "app"), newRepository(t, newStore(t, b), "app")
		w, err := dead.Create(request(http.MethodPost, "/", 0))
		if err != nil {
			t.Fatal(err)
		}
		id := w.ID()
		patch := func(repo *blobstore.Repository, p []byte) {
			w, err := repo.Resume(request(http.MethodPatch, "/", int64(len(p))), id)
			if err != nil {
				t.Fatal(err)
			}
			defer w.Close()
			if _, err := w.ReadFrom(bytes.NewReader(p)); err != nil {
				t.Fatal(err)
			}
		}
		patch(dead, p[:8000])
		w, err = dead.Resume(request(http.MethodPut, "/", 100), id) // never closed
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(other[8000:]); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Commit(t.Context(), v1.Descriptor{Digest: digest.FromBytes(other)}); !errors.Is(err, fault.ErrInjected) {
			t.Fatalf("got %v, want %v", err, fault.ErrInjected)
		}
		patch(alive, p[8000:])
		err = finish(alive, id, nil, digest.FromBytes(p))
		if bytes.Equal(other, p) {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if !errors.As(err, new(distribution.ErrBlobInvalidDigest)) {
			t.Errorf("%s: got %v, want an invalid digest", name, err)
		}
		if _, err := b.Stat(t.Context(), blobKey(digest.FromBytes(p))); !errors.Is(err, driver.NotFound) {
			t.Errorf("%s: there is a blob (%v)", name, err)
		}
	}
}
