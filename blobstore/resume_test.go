package blobstore_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/distribution/distribution/v3"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
)

// cut delivers p and then fails like a connection whose client has gone: the request's
// context ends, too.
type cut struct {
	r      io.Reader
	cancel context.CancelFunc
}

func (c cut) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	if errors.Is(err, io.EOF) {
		c.cancel()
		time.Sleep(time.Millisecond) // pieces under way see it first
		return n, io.ErrUnexpectedEOF
	}
	return n, err
}

// TestDisconnect cuts a PATCH at many offsets. A status request by the id that the client
// knows then tells exactly the bytes that came, on any replica.
func TestDisconnect(t *testing.T) {
	const size = 20_000
	p := content(9, size)
	onEachStore(t, func(t *testing.T, newBucket func() driver.Bucket) {
		for _, at := range []int{0, 1, 1023, 1024, part, part + 1, 4096, 7777, 19_999} {
			b := newBucket()
			one, two := newStore(t, b), newStore(t, b)
			repo := newRepository(t, one, "app")
			id := begin(t, repo)
			ctx, cancel := context.WithCancel(request(http.MethodPatch, "/", size))
			w, err := repo.Resume(ctx, id)
			if err != nil {
				t.Fatal(err)
			}
			if n, err := w.ReadFrom(cut{bytes.NewReader(p[:at]), cancel}); err == nil || n != int64(at) || w.Size() != n {
				t.Fatalf("cut at %d: ReadFrom = %d, %v, size %d", at, n, err, w.Size())
			}
			_ = w.Close()
			for _, s := range []*blobstore.Store{one, two} {
				if _, got, err := status(newRepository(t, s, "app"), id); err != nil || got != int64(at) {
					t.Errorf("cut at %d: status %d, %v", at, got, err)
				}
			}
			finishAll(t, newRepository(t, two, "app"), id, p)
			wantKeys(t, b, 2, one, two)
		}
	})
}

// TestReplicas sends each request of an upload to another replica.
func TestReplicas(t *testing.T) {
	p := content(5, 40_000)
	onEachStore(t, func(t *testing.T, newBucket func() driver.Bucket) {
		b := newBucket()
		id := begin(t, newRepository(t, newStore(t, b), "app"))
		rest := p
		for _, n := range []int{10, 3000, 100, 9000, 1, 1, 5000} {
			s := newStore(t, b)
			id = patch(t, newRepository(t, s, "app"), id, rest[:n])
			rest = rest[n:]
		}
		s := newStore(t, b)
		repo := newRepository(t, s, "app")
		if err := sendPUT(repo, id, digest.FromBytes(p), rest); err != nil {
			t.Fatal(err)
		}
		wantContent(t, repo, digest.FromBytes(p), p)
		wantKeys(t, b, 2, s)
	})
}

// TestVanishedWriter leaves writers behind as a killed process does, at every stage of
// their work, and goes on with others.
func TestVanishedWriter(t *testing.T) {
	p := content(5, 17_110)
	b := newBucket(t)
	repo := newRepository(t, newStore(t, b), "app")
	id := begin(t, repo)
	off := 0
	for _, step := range []int{10, 3000, 100, 9000, 5000} {
		// It stores pieces, and never says so.
		dead := resume(t, newRepository(t, newStore(t, b), "app"), id, -1)
		if _, err := dead.Write(content(99, 7000)); err != nil {
			t.Fatal(err)
		}
		id = patch(t, repo, id, p[off:off+step])
		off += step
	}
	if err := sendPUT(repo, id, digest.FromBytes(p), nil); err != nil {
		t.Fatal(err)
	}
	wantContent(t, repo, digest.FromBytes(p), p)
}

// TestBranches has writers continue one upload from the same id at the same time. Each is
// told an id of its own, from which its bytes can be committed.
func TestBranches(t *testing.T) {
	const writers = 6
	for _, size := range []int{10, 1500, 9000, 40_000} {
		b := newBucket(t)
		s := newStore(t, b)
		repo := newRepository(t, s, "app")
		head := content(100, 3000)
		id := patch(t, repo, begin(t, repo), head)
		var wg sync.WaitGroup
		for i := range uint64(writers) {
			wg.Go(func() {
				p := content(i, size)
				next, err := sendPATCH(repo, id, p)
				if err != nil {
					t.Errorf("size %d: writer %d: %v", size, i, err)
					return
				}
				all := append(bytes.Clone(head), p...)
				if _, got, err := status(repo, next); err != nil || got != int64(len(all)) {
					t.Errorf("size %d: writer %d: status %d, %v", size, i, got, err)
				}
			})
		}
		wg.Wait()
		last := content(7, size)
		next := patch(t, repo, id, last)
		all := append(bytes.Clone(head), last...)
		if err := sendPUT(repo, next, digest.FromBytes(all), nil); err != nil {
			t.Fatal(err)
		}
		wantContent(t, repo, digest.FromBytes(all), all)
	}
}

// TestCommitRace has writers commit one upload at the same time, and the same content by
// many uploads. All succeed.
func TestCommitRace(t *testing.T) {
	p := content(3, 9000)
	d := digest.FromBytes(p)
	onEachStore(t, func(t *testing.T, newBucket func() driver.Bucket) {
		for _, same := range []bool{true, false} {
			b := newBucket()
			one, two := newStore(t, b), newStore(t, b)
			var wg sync.WaitGroup
			var id string
			for i := range 8 {
				s := []*blobstore.Store{one, two}[i%2]
				repo := newRepository(t, s, "app")
				if !same || i == 0 {
					id = patch(t, repo, begin(t, repo), p)
				}
				mine := id
				wg.Go(func() {
					if err := sendPUT(repo, mine, d, nil); err != nil {
						t.Errorf("same upload: %v: %v", same, err)
					}
				})
			}
			wg.Wait()
			wantContent(t, newRepository(t, one, "app"), d, p)
			wantKeys(t, b, 2, one, two)
		}
	})
}

// TestLengthDeclared sends bodies that are shorter and longer than they were announced.
func TestLengthDeclared(t *testing.T) {
	for _, size := range []int{0, 10, 5000} {
		for _, diff := range []int{-5, 1, 3000} {
			if size+diff < 0 {
				continue
			}
			b := newBucket(t)
			s := newStore(t, b)
			repo := newRepository(t, s, "app")
			id := begin(t, repo)
			w := resume(t, repo, id, size)
			if _, err := w.ReadFrom(bytes.NewReader(content(1, size+diff))); !errors.Is(err, blobstore.ErrBodyLength) {
				t.Errorf("declared %d, sent %d: %v", size, size+diff, err)
			}
			_ = w.Close()
			// A short body can be continued, a long one is refused whole.
			want := int64(0)
			if diff < 0 {
				want = int64(size + diff)
			}
			next, got, err := status(repo, id)
			if err != nil || got != want {
				t.Errorf("declared %d, sent %d: kept %d, want %d (%v)", size, size+diff, got, want, err)
			}
			if err := resume(t, repo, next, -1).Cancel(t.Context()); err != nil {
				t.Fatal(err)
			}
			wantKeys(t, b, 1, s) // the mark of the end
		}
	}
}

// TestEnded uses writers after their end.
func TestEnded(t *testing.T) {
	repo := newRepository(t, newStore(t, newBucket(t)), "app")
	p := content(1, 100)
	for _, commit := range []bool{true, false} {
		w := resume(t, repo, patch(t, repo, begin(t, repo), p[:50]), -1)
		if _, err := w.Write(p[50:]); err != nil {
			t.Fatal(err)
		}
		var err error
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
		if _, _, err := status(repo, w.ID()); !commit && err != distribution.ErrBlobUploadUnknown {
			t.Errorf("status: %v", err)
		}
		if _, err := repo.Resume(request(http.MethodPatch, "/", 1), w.ID()); !commit && err != distribution.ErrBlobUploadUnknown {
			t.Errorf("Resume: %v", err)
		}
		if _, err := repo.Stat(t.Context(), digest.FromBytes(p)); err != nil {
			t.Errorf("Stat: %v", err) // what was committed stays, Cancel or not
		}
	}
}

// TestCancelElsewhere has one replica end an upload that another has begun and knows. Both
// refuse to continue it.
func TestCancelElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBucket(t)
		one, two := newStore(t, b), newStore(t, b)
		first := begin(t, newRepository(t, one, "app"))
		id := patch(t, newRepository(t, one, "app"), first, content(1, 5000))
		if err := resume(t, newRepository(t, two, "app"), id, -1).Cancel(t.Context()); err != nil {
			t.Fatal(err)
		}
		for i, s := range []*blobstore.Store{one, two} {
			repo := newRepository(t, s, "app")
			for _, id := range []string{first, id} {
				if _, _, err := status(repo, id); err != distribution.ErrBlobUploadUnknown {
					t.Errorf("replica %d: status: %v", i, err)
				}
			}
		}
		if _, err := sendPATCH(newRepository(t, two, "app"), first, []byte("x")); !errors.Is(err, distribution.ErrBlobUploadUnknown) {
			t.Errorf("PATCH by the first id: %v", err)
		}
		wantKeys(t, b, 1, one, two)
	})
}
