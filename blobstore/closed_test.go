package blobstore_test

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/blobdock/blobdock/driver"
)

// TestUseAfterClose writes to a Writer that is closed, and commits. Either that is refused,
// or the blob has all bytes.
func TestUseAfterClose(t *testing.T) {
	for _, final := range []bool{false, true} {
		for _, first := range []int{1, 100, 9000} {
			for _, then := range []int{0, 1, 100, 9000} {
				b := newBucket(t)
				s := newStore(t, b)
				repo := newRepository(t, s, "app")
				p := content(uint64(first+then), first+then)
				d := digest.SHA512.FromBytes(p)
				ctx := t.Context()
				if final {
					ctx = putRequest(d, -1)
				}
				w, err := repo.Resume(ctx, begin(t, repo))
				if err != nil {
					t.Fatal(err)
				}
				if _, err := w.Write(p[:first]); err != nil {
					t.Fatal(err)
				}
				if err := w.Close(); err != nil {
					t.Fatal(err)
				}
				n, werr := w.Write(p[first:])
				_, cerr := w.Commit(t.Context(), v1.Descriptor{Digest: d})
				if cerr == nil {
					wantContent(t, repo, d, p)
				} else if _, err := b.Stat(t.Context(), blobKey(d)); !errors.Is(err, driver.NotFound) {
					t.Errorf("%d bytes, Close, %d bytes (%d, %v), Commit (%v): there is a blob (%v)", first, then, n, werr, cerr, err)
				}
				if final && cerr == nil {
					t.Errorf("%d bytes of a PUT, Close, Commit: published without the bytes that were dropped", first)
				}
				_ = w.Cancel(t.Context())
				if u := s.Usage(); u.Memory != 0 || u.Uploads != 0 {
					t.Errorf("at the end %+v", u)
				}
			}
		}
	}
}

// TestCommitAfterClose commits what Close has persisted.
func TestCommitAfterClose(t *testing.T) {
	for _, size := range []int{100, 9000} {
		repo := newRepository(t, newStore(t, newBucket(t)), "app")
		w, err := repo.Create(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		p := content(1, size)
		if _, err := w.Write(p); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Commit(t.Context(), v1.Descriptor{Digest: digest.FromBytes(p)}); err != nil {
			t.Fatal(err)
		}
		_ = w.Close()
		wantContent(t, repo, digest.FromBytes(p), p)
	}
}

// TestCancelAfterFailure has callers close and cancel in either order after a Commit that
// failed in passing. The acknowledged bytes stay.
func TestCancelAfterFailure(t *testing.T) {
	for _, closeFirst := range []bool{true, false} {
		down := false
		b := driver.Wrap(newBucket(t), func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
			if down && c.Op != driver.OpOpen && c.Op != driver.OpStat {
				return driver.NewError(c.Op, c.Key, driver.Denied)
			}
			return next(ctx)
		})
		repo := newRepository(t, newStore(t, b), "app")
		p := content(2, 9000)
		d := digest.FromBytes(p)
		id := patch(t, repo, begin(t, repo), p)
		w, err := repo.Resume(putRequest(d, 0), id)
		if err != nil {
			t.Fatal(err)
		}
		down = true
		if _, err := w.Commit(t.Context(), v1.Descriptor{Digest: d}); !errors.Is(err, driver.Denied) {
			t.Fatalf("Commit: %v", err)
		}
		down = false
		if closeFirst {
			_ = w.Close()
		}
		if err := w.Cancel(t.Context()); err != nil {
			t.Error(err)
		}
		_ = w.Close()
		if err := sendPUT(repo, id, d, nil); err != nil {
			t.Errorf("closed first: %v: the PUT that comes again: %v", closeFirst, err)
		}
		wantContent(t, repo, d, p)
	}
}

// TestOtherDigestThanAnnounced commits under another digest than the request announced,
// while the body goes to the announced digest's key, or is hashed only.
func TestOtherDigestThanAnnounced(t *testing.T) {
	p := content(3, 9000)
	d, said := digest.FromBytes(p), digest.FromString("said")
	for _, there := range []bool{false, true} {
		b := newBucket(t)
		s := newStore(t, b)
		repo := newRepository(t, s, "app")
		if there {
			put(t, b, blobKey(said), make([]byte, len(p)))
		}
		w, err := repo.Resume(putRequest(said, len(p)), begin(t, repo))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.ReadFrom(bytes.NewReader(p)); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Commit(t.Context(), v1.Descriptor{Digest: d}); err == nil {
			wantContent(t, repo, d, p)
		}
		_ = w.Close()
		if obj, err := b.Stat(t.Context(), blobKey(said)); !there && !errors.Is(err, driver.NotFound) {
			t.Errorf("under the announced digest are %d bytes (%v)", obj.Size, err)
		}
	}
}
