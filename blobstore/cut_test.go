package blobstore_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/distribution/distribution/v3"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/mem"
)

// failing fails the calls that bad tells of.
func failing(b driver.Bucket, bad func(*driver.Call) bool) driver.Bucket {
	return driver.Wrap(b, func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
		if bad(c) {
			return errors.New("down")
		}
		return next(ctx)
	})
}

func writes(c *driver.Call) bool { return c.Op != driver.OpOpen && c.Op != driver.OpStat }

// begin begins an upload that several requests go on with.
func begin(t *testing.T, repo *blobstore.Repository) (id string) {
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

func resume(t *testing.T, repo *blobstore.Repository, id string, length int) distribution.BlobWriter {
	t.Helper()
	w, err := repo.Resume(request(http.MethodPatch, "/", int64(length)), id)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// patch is a PATCH. It returns what the writer took itself to have afterwards.
func patch(t *testing.T, repo *blobstore.Repository, id string, p []byte) (size int64, err error) {
	t.Helper()
	w := resume(t, repo, id, len(p))
	_, err = w.ReadFrom(bytes.NewReader(p))
	size = w.Size()
	_ = w.Close()
	return size, err
}

// finishAll sends what is missing of p and commits. It goes on where the upload is.
func finishAll(t *testing.T, repo *blobstore.Repository, id string, p []byte) {
	t.Helper()
	d := digest.FromBytes(p)
	w := resume(t, repo, id, -1)
	defer w.Close()
	if _, err := w.ReadFrom(bytes.NewReader(p[w.Size():])); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Commit(t.Context(), v1.Descriptor{Digest: d, Size: int64(len(p))}); err != nil {
		t.Fatal(err)
	}
	if got, err := repo.Get(t.Context(), d); err != nil || !bytes.Equal(got, p) {
		t.Errorf("Get: %d bytes, %v", len(got), err)
	}
}

// TestCutFails has each write of a PATCH fail whose bytes become a part of their own.
// The writer then tells what is persisted, and the upload goes on from there.
func TestCutFails(t *testing.T) {
	const first, second = 2*2048 + 900, 800
	p := content(3, first+second+500)
	for _, st := range stores {
		for n := 1; ; n++ {
			left := -1
			b := failing(driver.With(newBucket(t), st.edit), func(c *driver.Call) bool {
				if left > 0 && writes(c) {
					left--
					return left == 0
				}
				return false
			})
			one, two := newStore(t, b), newStore(t, b)
			repo := newRepository(t, one, "app")
			id := begin(t, repo)
			if size, err := patch(t, repo, id, p[:first]); err != nil || size != first {
				t.Fatalf("%s: %d bytes, %v", st.name, size, err)
			}
			left = n
			size, err := patch(t, repo, id, p[first:first+second])
			through := left > 0 // no call failed
			left = -1
			persisted := resume(t, newRepository(t, two, "app"), id, -1)
			if got := persisted.Size(); got != size || err != nil && got != first || err == nil && got != first+second {
				t.Errorf("%s, write %d failed: %d bytes are there, the writer said %d and %v", st.name, n, got, size, err)
			}
			_ = persisted.Close()
			if u := one.Usage(); u.Memory != 0 {
				t.Errorf("%s, write %d failed: %+v", st.name, n, u)
			}
			finishAll(t, newRepository(t, two, "app"), id, p)
			if through {
				if n < 3 && st.name != "uniform" {
					t.Errorf("%s: %d writes, want the claim, the part and the session", st.name, n-1)
				}
				break
			}
		}
	}
}

// TestWriteThenReadFrom has the numbers of one body run out in the next, of known
// length. What is persisted then is what came, also if the process vanishes right after.
func TestWriteThenReadFrom(t *testing.T) {
	for _, size := range []int{8*2048 + 1500, 10*2048 + 1} {
		var down atomic.Bool
		b := failing(driver.With(newBucket(t), copyOnly), func(c *driver.Call) bool {
			return down.Load() && c.Op == driver.OpPutPart
		})
		repo := newRepository(t, newStore(t, b), "app")
		p := content(4, size+700)
		id := begin(t, repo)
		if _, err := patch(t, repo, id, p[:500]); err != nil {
			t.Fatal(err)
		}
		const written = 7*2048 + 1
		w := resume(t, repo, id, size-written)
		if _, err := w.Write(p[500:written]); err != nil {
			t.Fatal(err)
		}
		r := bytes.NewReader(p[written:size])
		_, err := w.ReadFrom(readerFunc(func(q []byte) (int, error) {
			if r.Len() <= 1000 {
				down.Store(true)
			}
			return r.Read(q[:min(len(q), 100)])
		}))
		if err == nil {
			t.Errorf("%d bytes: no error", size)
		}
		_ = w.Close()
		down.Store(false)
		finishAll(t, repo, id, p)
	}
}

// TestCommitAgain has a Commit fail whose bytes came with its own request. They are
// persisted by Close, and another Commit succeeds.
func TestCommitAgain(t *testing.T) {
	for _, st := range stores {
		for what, bad := range map[string]func(*driver.Call) bool{
			"link":     func(c *driver.Call) bool { return c.Op == driver.OpPut && strings.HasSuffix(c.Key, "/link") },
			"complete": func(c *driver.Call) bool { return c.Op == driver.OpCompleteUpload },
		} {
			down := false
			b := failing(driver.With(newBucket(t), st.edit), func(c *driver.Call) bool { return down && bad(c) })
			repo := newRepository(t, newStore(t, b), "app")
			p := content(5, 3*2048+1500)
			d := digest.FromBytes(p)
			id := begin(t, repo)
			put := request(http.MethodPut, "/?digest="+d.String(), int64(len(p)))
			w, err := repo.Resume(put, id)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.ReadFrom(bytes.NewReader(p)); err != nil {
				t.Fatal(err)
			}
			down = true
			_, err = w.Commit(put, v1.Descriptor{Digest: d})
			down = false
			if err == nil && what == "link" {
				t.Errorf("%s, %s failed: no error", st.name, what)
			}
			if err == nil {
				continue // it can do without
			}
			if err := w.Close(); err != nil {
				t.Errorf("%s, %s failed: Close: %v", st.name, what, err)
			}
			finishAll(t, repo, id, p)
		}
	}
}

// TestNumbersAfterShortParts ends an upload in small PATCHes by a large PUT, for whose
// parts the numbers that are left must do.
func TestNumbersAfterShortParts(t *testing.T) {
	const kib = 1 << 10
	b := mem.NewWith(mem.Options{Parts: driver.PartLimits{MinSize: kib, MaxParts: 32}})
	s, err := blobstore.New(b, blobstore.Options{PartSize: 8 * kib, MemoryBudget: 64 * kib, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	repo := newRepository(t, s, "app")
	p := content(6, 256*kib)
	id := begin(t, repo)
	off := 10 * kib
	if _, err := patch(t, repo, id, p[:off]); err != nil {
		t.Fatal(err)
	}
	for ; off < 66*kib; off += 4 * kib {
		if _, err := patch(t, repo, id, p[off:off+4*kib]); err != nil {
			t.Fatal(err)
		}
	}
	d := digest.FromBytes(p)
	put := request(http.MethodPut, "/?digest="+d.String(), int64(len(p)-off))
	w, err := repo.Resume(put, id)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if _, err := w.ReadFrom(bytes.NewReader(p[off:])); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Commit(put, v1.Descriptor{Digest: d}); err != nil {
		t.Fatal(err)
	}
}

// TestMemoryAfterFailure has a part fail, or its upload end, while the next one's buffer
// is being filled. Both buffers come back.
func TestMemoryAfterFailure(t *testing.T) {
	begun, down := make(chan struct{}), make(chan struct{})
	b := driver.Wrap(newBucket(t), func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
		if c.Op != driver.OpPutPart {
			return next(ctx)
		}
		begun <- struct{}{}
		select {
		case <-down:
			return errors.New("down")
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	s := newStore(t, b)
	repo := newRepository(t, s, "app")
	p := content(7, 2048+500)
	type writer interface {
		io.WriteCloser
		Cancel(context.Context) error
	}
	for what, open := range map[string]func() (writer, error){
		"blob": func() (writer, error) { return repo.Create(request(http.MethodPost, "/", 0)) },
		"file": func() (writer, error) { return s.Append(t.Context(), "some/file", false) },
	} {
		for _, fails := range []bool{true, false} {
			w, err := open()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.Write(p); err != nil {
				t.Fatal(err)
			}
			<-begun
			if fails {
				go func() { down <- struct{}{} }()
				if err := w.Close(); err == nil {
					t.Errorf("%s: closed although a part failed", what)
				}
			}
			_ = w.Cancel(t.Context())
			if u := s.Usage(); u.Memory != 0 {
				t.Errorf("%s, part fails: %t: %+v", what, fails, u)
			}
		}
	}
}

// TestGoneWithoutCut has a client go away in mid-body. What came is persisted by the one
// request that is surest to be through in time.
func TestGoneWithoutCut(t *testing.T) {
	var mu sync.Mutex
	var ops []driver.Op
	b := driver.Wrap(newBucket(t), func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
		mu.Lock()
		ops = append(ops, c.Op)
		mu.Unlock()
		return next(ctx)
	})
	repo := newRepository(t, newStore(t, b), "app")
	p := content(8, 3*2048+1800)
	id := begin(t, repo)
	if _, err := patch(t, repo, id, p[:2*2048+300]); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(request(http.MethodPatch, "/", 2000))
	defer cancel()
	w, err := repo.Resume(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	ops = nil
	if _, err := w.ReadFrom(cut{bytes.NewReader(p[2*2048+300 : 2*2048+1500]), cancel}); err == nil {
		t.Error("no error")
	}
	_ = w.Close()
	if len(ops) != 1 || ops[0] != driver.OpPut {
		t.Errorf("persisted by %v, want one put", ops)
	}
	finishAll(t, repo, id, p)
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
