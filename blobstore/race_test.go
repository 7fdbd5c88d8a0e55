package blobstore_test

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/distribution/distribution/v3"
	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
)

// TestSweepAgainstPush sweeps all the time while blobs are pushed in many requests. A
// push that goes on is not taken for abandoned, however long it takes.
func TestSweepAgainstPush(t *testing.T) {
	b := driver.With(newBucket(t), copyOnly)
	ctx, cancel := context.WithCancel(t.Context())
	var sweeping, pushing sync.WaitGroup
	sweeping.Go(func() {
		s := newStore(t, b)
		for ctx.Err() == nil {
			if _, err := s.Sweep(ctx, blobstore.SweepOptions{OlderThan: 2 * time.Second}); err != nil && ctx.Err() == nil {
				t.Error(err)
			}
		}
	})
	for i := range uint64(4) {
		pushing.Go(func() {
			s := newStore(t, b)
			for j := range uint64(20) {
				p := content(100*i+j, 9000)
				if err := push(s, newRepository(t, s, "app"), p, 500, digest.FromBytes(p)); err != nil {
					t.Errorf("push %d of %d: %v", j, i, err)
				}
			}
		})
	}
	pushing.Wait()
	cancel()
	sweeping.Wait()
}

// TestDeleteAgainstPush deletes a blob while others push and mount it. Whoever is told
// that it is there last finds it, and nobody ever reads anything else.
func TestDeleteAgainstPush(t *testing.T) {
	b := driver.With(newBucket(t), copyOnly)
	p := content(31, 9000)
	d := digest.FromBytes(p)
	name, err := reference.WithName("app")
	if err != nil {
		t.Fatal(err)
	}
	from, err := reference.WithDigest(name, d)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	work := func(f func(s *blobstore.Store) error, allowed ...error) {
		s := newStore(t, b)
		wg.Go(func() {
			for range 40 {
				err := f(s)
				ok := err == nil
				for _, a := range allowed {
					ok = ok || errors.Is(err, a)
				}
				if !ok {
					t.Error(err)
				}
			}
		})
	}
	for _, chunk := range []int{0, 4000} {
		work(func(s *blobstore.Store) error { return push(s, newRepository(t, s, "app"), p, chunk, d) })
	}
	work(func(s *blobstore.Store) error { return newRepository(t, s, "app").Delete(t.Context(), d) }, distribution.ErrBlobUnknown)
	work(func(s *blobstore.Store) error {
		got, err := newRepository(t, s, "app").Get(t.Context(), d)
		if err == nil && !bytes.Equal(got, p) {
			t.Errorf("%d other bytes", len(got))
		}
		return err
	}, distribution.ErrBlobUnknown)
	work(func(s *blobstore.Store) error {
		other := newRepository(t, s, "other")
		if _, err := other.Mount(t.Context(), from); err != nil {
			return err
		}
		// The mount was answered by yes, and nobody deletes from this repository.
		got, err := other.Get(t.Context(), d)
		if err != nil || !bytes.Equal(got, p) {
			t.Errorf("mounted, and there are %d bytes: %v", len(got), err)
		}
		return nil
	}, distribution.ErrBlobUnknown)
	wg.Wait()
	s := newStore(t, b)
	repo := newRepository(t, s, "app")
	if err := push(s, repo, p, 0, d); err != nil {
		t.Fatal(err)
	}
	if got, err := repo.Get(t.Context(), d); err != nil || !bytes.Equal(got, p) {
		t.Errorf("at the end: %d bytes, %v", len(got), err)
	}
}
