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

// copyOnly offers what S3 does.
func copyOnly(f *driver.Features) { f.Retarget, f.Rename = nil, nil }

// cut delivers p and then fails like a connection whose client has gone: the
// request's context ends, too.
type cut struct {
	r      io.Reader
	cancel context.CancelFunc
}

func (c cut) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	if errors.Is(err, io.EOF) {
		c.cancel()
		time.Sleep(time.Millisecond) // parts under way see it first
		return n, io.ErrUnexpectedEOF
	}
	return n, err
}

// TestDisconnect cuts a PATCH at many offsets. The upload then has exactly the
// bytes that came, on any replica.
func TestDisconnect(t *testing.T) {
	const size = 20_000
	p := content(9, size)
	for _, at := range []int{0, 1, 1023, 1024, 2048, 2049, 4096, 7777, 19_999} {
		b := driver.With(newBucket(t), copyOnly)
		one, two := newStore(t, b), newStore(t, b)
		w, err := newRepository(t, one, "app").Create(request(http.MethodPost, "/", 0))
		if err != nil {
			t.Fatal(err)
		}
		id := w.ID()
		ctx, cancel := context.WithCancel(request(http.MethodPatch, "/", size))
		w, err = newRepository(t, one, "app").Resume(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := w.ReadFrom(cut{bytes.NewReader(p[:at]), cancel}); err == nil || n != int64(at) {
			t.Fatalf("cut at %d: ReadFrom = %d, %v", at, n, err)
		}
		_ = w.Close()
		cancel()

		repo := newRepository(t, two, "app")
		w, err = repo.Resume(request(http.MethodPatch, "/", int64(size-at)), id)
		if err != nil {
			t.Fatal(err)
		}
		if w.Size() != int64(at) {
			t.Errorf("cut at %d: resumed at %d", at, w.Size())
		}
		if _, err := w.ReadFrom(bytes.NewReader(p[at:])); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Commit(t.Context(), v1.Descriptor{Digest: digest.FromBytes(p), Size: size}); err != nil {
			t.Fatalf("cut at %d: %v", at, err)
		}
		if got, err := repo.Get(t.Context(), digest.FromBytes(p)); err != nil || !bytes.Equal(got, p) {
			t.Errorf("cut at %d: content differs: %v", at, err)
		}
		if got := keys(t, b); len(got) != 2 {
			t.Errorf("cut at %d: bucket has %q", at, got)
		}
		if one.Usage().Memory+two.Usage().Memory != 0 {
			t.Errorf("cut at %d: memory in use", at)
		}
	}
}

// TestVanishedWriter leaves writers behind as a killed process does, at every
// stage of their work, and goes on with others.
func TestVanishedWriter(t *testing.T) {
	p := content(5, 30_000)
	b := driver.With(newBucket(t), copyOnly)
	s := newStore(t, b)
	repo := newRepository(t, s, "app")
	w, err := repo.Create(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	id := w.ID()
	off := 0
	for _, step := range []int{10, 3000, 100, 9000, 5000} {
		// One that claims and sends parts, and never says so.
		dead, err := repo.Resume(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := dead.Write(content(99, 7000)); err != nil {
			t.Fatal(err)
		}
		w, err := repo.Resume(request(http.MethodPatch, "/", int64(step)), id)
		if err != nil {
			t.Fatal(err)
		}
		if w.Size() != int64(off) {
			t.Fatalf("resumed at %d, want %d", w.Size(), off)
		}
		if _, err := w.ReadFrom(bytes.NewReader(p[off : off+step])); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		off += step
	}
	d := digest.FromBytes(p[:off])
	w, err = repo.Resume(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Commit(t.Context(), v1.Descriptor{Digest: d}); err != nil {
		t.Fatal(err)
	}
	if got, err := repo.Get(t.Context(), d); err != nil || !bytes.Equal(got, p[:off]) {
		t.Fatalf("content differs: %v", err)
	}
	if got := keys(t, b); len(got) != 2 {
		t.Errorf("bucket has %q, want a blob and a link", got)
	}
}

// TestRace has writers continue one upload at the same time. One wins each
// round, the others get ErrUploadConflict, and the winner's bytes are published.
func TestRace(t *testing.T) {
	const writers = 6
	for _, size := range []int{10, 1500, 9000, 40_000} {
		b := driver.With(newBucket(t), copyOnly)
		s := newStore(t, b)
		repo := newRepository(t, s, "app")
		w, err := repo.Create(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		id := w.ID()
		var want []byte
		for round := range 8 {
			bodies := make([][]byte, writers)
			errs := make([]error, writers)
			var ready, done sync.WaitGroup
			ready.Add(writers)
			for i := range writers {
				bodies[i] = content(uint64(1+round*writers+i), size)
				done.Go(func() {
					length := int64(size)
					if i%2 == 1 {
						length = -1
					}
					w, err := repo.Resume(request(http.MethodPatch, "/", length), id)
					ready.Done()
					ready.Wait()
					if err == nil {
						_, err = w.ReadFrom(bytes.NewReader(bodies[i]))
						_ = w.Close()
					}
					errs[i] = err
				})
			}
			done.Wait()
			won := -1
			for i, err := range errs {
				switch {
				case err == nil && won >= 0:
					t.Fatalf("size %d, round %d: writers %d and %d both won", size, round, won, i)
				case err == nil:
					won = i
				case !errors.Is(err, blobstore.ErrUploadConflict):
					t.Fatalf("size %d, round %d: writer %d: %v", size, round, i, err)
				}
			}
			if won >= 0 {
				want = append(want, bodies[won]...)
			}
			w, err := repo.Resume(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			if w.Size() != int64(len(want)) {
				t.Fatalf("size %d, round %d: upload has %d bytes, want %d", size, round, w.Size(), len(want))
			}
			_ = w.Close()
		}
		w, err = repo.Resume(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Commit(t.Context(), v1.Descriptor{Digest: digest.FromBytes(want)}); err != nil {
			t.Fatalf("size %d: %v", size, err)
		}
		if got := keys(t, b); len(got) != 2 {
			t.Errorf("size %d: bucket has %q, want a blob and a link", size, got)
		}
	}
}

// TestCommitRace has writers commit one upload at the same time, and the same
// content by many uploads.
func TestCommitRace(t *testing.T) {
	p := content(3, 9000)
	d := digest.FromBytes(p)
	for _, same := range []bool{true, false} {
		b := driver.With(newBucket(t), copyOnly)
		s := newStore(t, b)
		repo := newRepository(t, s, "app")
		begin := func() string {
			w, err := repo.Create(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.ReadFrom(bytes.NewReader(p)); err != nil {
				t.Fatal(err)
			}
			_ = w.Close()
			return w.ID()
		}
		errs := make([]error, 8)
		var wg sync.WaitGroup
		var mine string
		for i := range errs {
			if !same || i == 0 {
				mine = begin()
			}
			mine := mine
			wg.Go(func() {
				w, err := repo.Resume(t.Context(), mine)
				if err == nil {
					defer w.Close()
					_, err = w.Commit(t.Context(), v1.Descriptor{Digest: d})
				}
				errs[i] = err
			})
		}
		wg.Wait()
		won := 0
		for _, err := range errs {
			switch {
			case err == nil:
				won++
			case !same || !errors.Is(err, blobstore.ErrUploadConflict) && !errors.Is(err, distribution.ErrBlobUploadUnknown):
				t.Errorf("same upload %v: %v", same, err)
			}
		}
		if won == 0 || !same && won != len(errs) {
			t.Errorf("same upload %v: %d of %d commits succeeded", same, won, len(errs))
		}
		if got, err := repo.Get(t.Context(), d); err != nil || !bytes.Equal(got, p) {
			t.Errorf("same upload %v: content differs: %v", same, err)
		}
		if got := keys(t, b); len(got) != 2 {
			t.Errorf("same upload %v: bucket has %q, want a blob and a link", same, got)
		}
	}
}

func TestLengthDeclared(t *testing.T) {
	for _, size := range []int{0, 10, 5000} {
		for _, diff := range []int{-5, 1, 3000} {
			if size+diff < 0 {
				continue
			}
			b := driver.With(newBucket(t), copyOnly)
			repo := newRepository(t, newStore(t, b), "app")
			w, err := repo.Create(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			id := w.ID()
			w, err = repo.Resume(request(http.MethodPatch, "/", int64(size)), id)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.ReadFrom(bytes.NewReader(content(1, size+diff))); !errors.Is(err, blobstore.ErrBodyLength) {
				t.Errorf("declared %d, sent %d: %v", size, size+diff, err)
			}
			_ = w.Close()
			w, err = repo.Resume(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			// What was short can be continued; what was long is refused whole.
			if want := int64(min(size+diff, size)); diff < 0 && w.Size() != want {
				t.Errorf("declared %d, sent %d: kept %d, want %d", size, size+diff, w.Size(), want)
			} else if diff > 0 && w.Size() != 0 {
				t.Errorf("declared %d, sent %d: kept %d, want 0", size, size+diff, w.Size())
			}
			if err := w.Cancel(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := keys(t, b); len(got) != 0 {
				t.Errorf("bucket has %q", got)
			}
		}
	}
}

func TestEnded(t *testing.T) {
	repo := newRepository(t, newStore(t, newBucket(t)), "app")
	p := content(1, 100)
	for _, commit := range []bool{true, false} {
		w, err := repo.Create(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(p); err != nil {
			t.Fatal(err)
		}
		if commit {
			_, err = w.Commit(t.Context(), v1.Descriptor{Digest: digest.FromBytes(p)})
		} else {
			err = w.Cancel(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := w.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
			if err := w.Cancel(t.Context()); err != nil {
				t.Errorf("Cancel: %v", err)
			}
		}
		if _, err := w.Write(p); err == nil {
			t.Error("Write succeeds")
		}
		if _, err := repo.Resume(t.Context(), w.ID()); err != distribution.ErrBlobUploadUnknown {
			t.Errorf("Resume: %v", err)
		}
		if _, err := repo.Stat(t.Context(), digest.FromBytes(p)); err != nil {
			t.Errorf("Stat: %v", err) // what was committed stays, Cancel or not
		}
	}
	for _, id := range []string{"", "..", "../../x", "0b9a2f6e-9b0c-4a51-8a4d-0b1d2b8f2c11", "urn:uuid:0b9a2f6e-9b0c-4a51-8a4d-0b1d2b8f2c11"} {
		if _, err := repo.Resume(t.Context(), id); err != distribution.ErrBlobUploadUnknown {
			t.Errorf("Resume(%q): %v", id, err)
		}
	}
}
