package blobstore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/distribution/distribution/v3"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
)

var errRefused = errors.New("refused")

// TestInspectReadsTheContent has content of several sizes looked at, that came at once or in
// several requests, also with the PUT that ends the upload.
func TestInspectReadsTheContent(t *testing.T) {
	for _, sizes := range [][]int{{0}, {1}, {part}, {5*part + 7}, {100, 3 * part}, {3 * part, 100, 3*part + 1}} {
		for _, final := range []bool{false, true} {
			t.Run(fmt.Sprintf("%v final %t", sizes, final), func(t *testing.T) {
				b := newBucket(t)
				s := newStore(t, b)
				repo := newRepository(t, s, "repo")
				var all []byte
				for i, n := range sizes {
					all = append(all, content(uint64(i), n)...)
				}
				id, rest := begin(t, repo), all
				for _, n := range sizes[:len(sizes)-1] {
					id, rest = patch(t, repo, id, rest[:n]), rest[n:]
				}
				ctx := t.Context()
				if final {
					ctx = putRequest(digest.FromBytes(all), len(rest))
				}
				w, err := repo.ResumeWriter(ctx, id)
				if err != nil {
					t.Fatal(err)
				}
				defer w.Close()
				var got []byte
				w.Inspect(func(r io.Reader) (err error) {
					got, err = io.ReadAll(r)
					if slices.Contains(keys(t, b), blobKey(digest.FromBytes(all))) {
						t.Error("the blob shows before it was looked at")
					}
					return err
				})
				if _, err := w.ReadFrom(bytes.NewReader(rest)); err != nil {
					t.Fatal(err)
				}
				commit(t, w, all)
				if !bytes.Equal(got, all) {
					t.Errorf("saw %d bytes, want %d", len(got), len(all))
				}
				wantKeys(t, b, 2, s)
			})
		}
	}
}

func TestInspectRefuses(t *testing.T) {
	b := newBucket(t)
	s := newStore(t, b)
	w := written(t, newRepository(t, s, "repo"))
	w.Inspect(func(io.Reader) error { return errRefused })
	p := content(1, 3*part)
	if _, err := w.ReadFrom(bytes.NewReader(p)); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Commit(t.Context(), v1.Descriptor{Digest: digest.FromBytes(p)}); !errors.Is(err, errRefused) {
		t.Fatalf("Commit: %v", err)
	}
	wantKeys(t, b, 0, s)
}

// TestInspectWhileTheStoreFails has the store fail when the content is read: that is no verdict.
func TestInspectWhileTheStoreFails(t *testing.T) {
	fails := false
	b := driver.Wrap(newBucket(t), func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
		if fails && c.Op == driver.OpOpen {
			return &driver.Error{Op: c.Op, Key: c.Key, Kind: driver.Denied}
		}
		return next(ctx)
	})
	w := written(t, newRepository(t, newStore(t, b), "repo"))
	w.Inspect(func(r io.Reader) error {
		if _, err := io.Copy(io.Discard, r); err != nil {
			return fmt.Errorf("%w: %w", errRefused, err)
		}
		return nil
	})
	p := content(1, 3*part)
	if _, err := w.ReadFrom(bytes.NewReader(p)); err != nil {
		t.Fatal(err)
	}
	fails = true
	if _, err := w.Commit(t.Context(), v1.Descriptor{Digest: digest.FromBytes(p)}); !errors.Is(err, driver.Denied) || errors.Is(err, errRefused) {
		t.Fatalf("Commit: %v", err)
	}
	fails = false
	commit(t, w, p)
}

// TestInspectSparesNobody repeats a PUT that has committed the upload. Nobody has looked at the
// content then.
func TestInspectSparesNobody(t *testing.T) {
	b := newBucket(t)
	one := newStore(t, b)
	p := content(1, 10)
	d := digest.FromBytes(p)
	repo := newRepository(t, one, "repo")
	id := patch(t, repo, begin(t, repo), p)
	if err := sendPUT(repo, id, d, nil); err != nil {
		t.Fatal(err)
	}
	wantKeys(t, b, 2, one)
	w, err := newRepository(t, newStore(t, b), "repo").ResumeWriter(putRequest(d, 0), id)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	w.Inspect(func(io.Reader) error { return nil })
	if _, err := w.Commit(t.Context(), v1.Descriptor{Digest: d}); !errors.Is(err, distribution.ErrBlobUploadUnknown) {
		t.Errorf("Commit: %v", err)
	}
}

// TestInspectNotInstead has another request commit the upload while one that is to look at the
// content is under way.
func TestInspectNotInstead(t *testing.T) {
	b := newBucket(t)
	one := newStore(t, b)
	p := content(1, 10)
	repo := newRepository(t, one, "repo")
	id := patch(t, repo, begin(t, repo), p)
	w, err := newRepository(t, newStore(t, b), "repo").ResumeWriter(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	w.Inspect(func(io.Reader) error { return errRefused })
	if err := sendPUT(repo, id, digest.FromBytes(p), nil); err != nil {
		t.Fatal(err)
	}
	wantKeys(t, b, 2, one)
	if _, err := w.Commit(t.Context(), v1.Descriptor{Digest: digest.FromBytes(p)}); !errors.Is(err, blobstore.ErrUploadGone) {
		t.Errorf("Commit: %v", err)
	}
}

// TestInspectOfWhatWasNotRead has a function that takes the store's failure for the content's end.
func TestInspectOfWhatWasNotRead(t *testing.T) {
	fails := false
	b := driver.Wrap(newBucket(t), func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
		if fails && c.Op == driver.OpOpen {
			return &driver.Error{Op: c.Op, Key: c.Key, Kind: driver.Denied}
		}
		return next(ctx)
	})
	w := written(t, newRepository(t, newStore(t, b), "repo"))
	w.Inspect(func(r io.Reader) error {
		_, _ = io.Copy(io.Discard, r)
		return nil
	})
	p := content(1, 3*part)
	if _, err := w.ReadFrom(bytes.NewReader(p)); err != nil {
		t.Fatal(err)
	}
	fails = true
	if _, err := w.Commit(t.Context(), v1.Descriptor{Digest: digest.FromBytes(p)}); !errors.Is(err, driver.Denied) {
		t.Fatalf("Commit: %v", err)
	}
	fails = false
	commit(t, w, p)
}

// TestInspectEndsWithItsContext has a function that takes long over content in memory, whose
// caller has gone.
func TestInspectEndsWithItsContext(t *testing.T) {
	o := options()
	o.DisconnectGrace = time.Millisecond
	w := written(t, newRepository(t, newStoreWith(t, newBucket(t), o), "repo"))
	ctx, cancel := context.WithCancel(t.Context())
	var got error
	w.Inspect(func(r io.Reader) error {
		cancel()
		if _, err := io.CopyN(io.Discard, r, 1); err != nil {
			return err
		}
		time.Sleep(50 * time.Millisecond)
		_, got = io.Copy(io.Discard, r)
		return errRefused
	})
	p := content(1, 100)
	if _, err := w.Write(p); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Commit(ctx, v1.Descriptor{Digest: digest.FromBytes(p)}); !driver.IsContextError(err) || !driver.IsContextError(got) {
		t.Fatalf("Commit: %v, the content: %v", err, got)
	}
}

// TestInspectAfterALostReply loses the reply to each change that a Commit makes. It is repeated by
// the same Writer, which has looked at the content.
func TestInspectAfterALostReply(t *testing.T) {
	for _, name := range []string{"minio", "gcs", "azure", "plain"} {
		for _, size := range []int{100, 5 * part} {
			for nth := 1; nth < 12; nth++ {
				for _, happened := range []bool{false, true} {
					b := withoutInterval(name)
					var (
						lost  int
						armed atomic.Bool
					)
					fails := driver.Wrap(b, func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
						if !armed.Load() || !c.Op.Changes() {
							return next(ctx)
						}
						if lost++; lost < nth {
							return next(ctx)
						}
						if happened {
							_ = next(ctx)
						}
						return &driver.Error{Op: c.Op, Key: c.Key, Kind: driver.Denied, OutcomeUnknown: true}
					})
					repo := newRepository(t, newStore(t, oneByOne(fails)), "repo")
					w := written(t, repo)
					w.Inspect(func(r io.Reader) error {
						_, err := io.Copy(io.Discard, r)
						return err
					})
					p := content(1, size)
					if _, err := w.ReadFrom(bytes.NewReader(p)); err != nil {
						t.Fatal(err)
					}
					armed.Store(true)
					_, err := w.Commit(t.Context(), v1.Descriptor{Digest: digest.FromBytes(p)})
					armed.Store(false)
					if err == nil {
						continue
					}
					if _, err := w.Commit(t.Context(), v1.Descriptor{Digest: digest.FromBytes(p)}); err != nil {
						t.Errorf("%s, %d bytes, change %d, happened %t: %v", name, size, nth, happened, err)
						continue
					}
					wantContent(t, repo, digest.FromBytes(p), p)
				}
			}
		}
	}
}

// oneByOne has one call at a time.
func oneByOne(b driver.Bucket) driver.Bucket {
	var mu sync.Mutex
	return driver.Wrap(b, func(ctx context.Context, _ *driver.Call, next func(context.Context) error) error {
		mu.Lock()
		defer mu.Unlock()
		return next(ctx)
	})
}
