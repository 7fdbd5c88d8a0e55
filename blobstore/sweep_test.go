package blobstore_test

import (
	"context"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
)

// TestSweep removes what abandoned uploads left: today's, the first edition's, and those of
// distribution's own drivers.
func TestSweep(t *testing.T) {
	b := newBucket(t)
	s := newStore(t, b)
	repo := newRepository(t, s, "app")
	if _, err := repo.Put(t.Context(), "", content(1, 100)); err != nil {
		t.Fatal(err)
	}
	kept := len(keys(t, b))
	const root = "docker/registry/v2/repositories/app/_uploads/"
	put(t, b, root+"11111111-1111-4111-8111-111111111111/startedat", []byte("2020-01-01T00:00:00Z"))
	put(t, b, root+"22222222-2222-4222-8222-222222222222/session", []byte("what is this?"))
	if _, err := b.Features().Uploads.CreateUpload(t.Context(), blobKey(digest.FromString("x")), driver.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	patch(t, repo, begin(t, repo), content(2, 9000))
	if err := resume(t, repo, patch(t, repo, begin(t, repo), content(3, 10)), -1).Cancel(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Sweep(t.Context(), blobstore.SweepOptions{}); err != nil || got != (blobstore.SweepResult{}) {
		t.Errorf("Sweep of young uploads: %+v, %v", got, err)
	}
	want := blobstore.SweepResult{Uploads: 2, Folders: 2, Parts: 1}
	found := 0
	before := len(keys(t, b))
	got, err := s.Sweep(t.Context(), blobstore.SweepOptions{OlderThan: time.Nanosecond, DryRun: true, OnOrphan: func(blobstore.Orphan) { found++ }})
	if err != nil || got != want || found != 5 || len(keys(t, b)) != before {
		t.Errorf("dry run: %+v, %v, %d reported, %d keys of %d left", got, err, found, len(keys(t, b)), before)
	}
	if got, err := s.Sweep(t.Context(), blobstore.SweepOptions{OlderThan: time.Nanosecond}); err != nil || got != want {
		t.Errorf("sweep: %+v, %v", got, err)
	}
	wantKeys(t, b, kept)
}

// TestSweepLegacy looks at all repositories until that finds nothing.
func TestSweepLegacy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBucket(t)
		const old = "docker/registry/v2/repositories/app/_uploads/11111111-1111-4111-8111-111111111111/startedat"
		s := newStore(t, b)
		sweep := func(s *blobstore.Store, o blobstore.SweepOptions, folders int) {
			t.Helper()
			if got, err := s.Sweep(t.Context(), o); err != nil || got != (blobstore.SweepResult{Folders: folders}) {
				t.Errorf("%+v, %v, want %d folders", got, err, folders)
			}
		}
		put(t, b, old, nil)
		sweep(s, blobstore.SweepOptions{}, 0) // it is young
		time.Sleep(8 * 24 * time.Hour)
		sweep(s, blobstore.SweepOptions{DryRun: true}, 1)
		sweep(s, blobstore.SweepOptions{}, 1)
		sweep(s, blobstore.SweepOptions{}, 0)
		put(t, b, old, nil)
		time.Sleep(8 * 24 * time.Hour)
		sweep(s, blobstore.SweepOptions{}, 0)
		sweep(newStore(t, b), blobstore.SweepOptions{}, 1)
	})
}

// TestSweepByStoresClock takes ages by the store's clock, not by this machine's.
func TestSweepByStoresClock(t *testing.T) {
	b := newBucket(t)
	repo := newRepository(t, newStore(t, b), "app")
	patch(t, repo, begin(t, repo), content(2, 9000))
	for _, tt := range []struct {
		ahead   time.Duration
		uploads int
	}{{0, 0}, {-30 * 24 * time.Hour, 0}, {30 * 24 * time.Hour, 1}} {
		skewed := driver.WithFeatures(b, func(f *driver.Features) { f.Now = func() time.Time { return time.Now().Add(tt.ahead) } })
		if got, err := newStore(t, skewed).Sweep(t.Context(), blobstore.SweepOptions{DryRun: true}); err != nil || got.Uploads != tt.uploads {
			t.Errorf("store %v ahead: %+v, %v, want %d uploads", tt.ahead, got, err, tt.uploads)
		}
	}
}

// TestSweepParts removes the parts that the first edition left on Google's store: objects
// beside the root, in a folder of each upload.
func TestSweepParts(t *testing.T) {
	const key = "docker-fregistry-fv2-frepositories-fteam-fmy-dapp-f-euploads-f11111111-d1111-d4111-d8111-d111111111111-fdata"
	const old, young = "_parts/" + key + "!0k3v8x2p1abcdefghijklmnopp/", "_parts/" + key + "!0k3v8x2p2abcdefghijklmnopm/"
	const kept = "_parts/other-fregistry-fv2-fx!0k3v8x2p3abcdefghijklmnopp/00001"
	synctest.Test(t, func(t *testing.T) {
		b := imitation("gcs")
		for _, name := range []string{old + "marker", old + "00001", kept, young + "marker"} {
			put(t, b, name, []byte("x"))
		}
		time.Sleep(time.Hour)
		put(t, b, young+"00001", []byte("x"))
		var found []blobstore.Orphan
		o := blobstore.SweepOptions{OlderThan: time.Minute, OnOrphan: func(o blobstore.Orphan) { found = append(found, o) }}
		if got, err := newStore(t, b).Sweep(t.Context(), o); err != nil || got != (blobstore.SweepResult{Parts: 1}) {
			t.Errorf("%+v, %v", got, err)
		}
		if len(found) != 1 || found[0].Kind != blobstore.OrphanParts || found[0].Key+"/" != old {
			t.Errorf("reported %+v", found)
		}
		if want := []string{young + "00001", young + "marker", kept}; !slices.Equal(keys(t, b), want) {
			t.Errorf("left %q, want %q", keys(t, b), want)
		}
	})
}

// TestSweepCosts one listing where there are no uploads, and one of the multipart uploads.
func TestSweepCosts(t *testing.T) {
	b := newBucket(t)
	repo := newRepository(t, newStore(t, b), "app")
	for i := range uint64(20) {
		if _, err := repo.Put(t.Context(), "", content(i, 10)); err != nil {
			t.Fatal(err)
		}
	}
	n := make(map[driver.Op]int)
	counted := driver.Wrap(b, func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
		n[c.Op]++
		return next(ctx)
	})
	s := newStore(t, counted)
	if _, err := s.Sweep(t.Context(), blobstore.SweepOptions{}); err != nil {
		t.Fatal(err) // no earlier version has left anything
	}
	clear(n)
	if _, err := s.Sweep(t.Context(), blobstore.SweepOptions{}); err != nil || !maps.Equal(n, map[driver.Op]int{driver.OpList: 1, driver.OpListUploads: 1}) {
		t.Errorf("%v, %v", n, err)
	}
}

// TestSweepSparesNeighbour sweeps one upload of a digest, and leaves a younger one of the
// same digest alone.
func TestSweepSparesNeighbour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBucket(t)
		s := newStore(t, b)
		p := content(3, 20_000)
		live, dead := newRepository(t, s, "live"), newRepository(t, s, "dead")
		id := patch(t, live, begin(t, live), p[:9000])
		patch(t, dead, begin(t, dead), p[:9000])
		time.Sleep(time.Hour)
		id = patch(t, live, id, p[9000:])
		if got, err := s.Sweep(t.Context(), blobstore.SweepOptions{OlderThan: time.Minute}); err != nil || got.Uploads != 1 {
			t.Errorf("%+v, %v", got, err)
		}
		finishAll(t, live, id, p)
		wantKeys(t, b, 2, s)
	})
}

// TestSweepOfResumed continues an upload after the sweep has listed it, and before the sweep
// comes to it.
func TestSweepOfResumed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBucket(t)
		s := newStore(t, b)
		repo := newRepository(t, s, "app")
		p := content(3, 20_000)
		id := patch(t, repo, begin(t, repo), p[:9000])
		time.Sleep(time.Hour)
		resumed := false
		sweeping := driver.Wrap(b, func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
			err := next(ctx)
			if c.Op == driver.OpList && !resumed {
				resumed = true
				id = patch(t, repo, id, p[9000:])
			}
			return err
		})
		if _, err := newStore(t, sweeping).Sweep(t.Context(), blobstore.SweepOptions{OlderThan: time.Minute}); err != nil {
			t.Error(err)
		}
		other := newStore(t, b)
		finishAll(t, newRepository(t, other, "app"), id, p)
		wantKeys(t, b, 2, s, other)
	})
}

// TestSweepAgainstPush sweeps all the time while blobs are pushed in many requests. A push
// that goes on is not taken for abandoned, however long it takes.
func TestSweepAgainstPush(t *testing.T) {
	b := newBucket(t)
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
				if err := push(newRepository(t, s, "app"), p, 500, digest.FromBytes(p)); err != nil {
					t.Errorf("push %d of %d: %v", j, i, err)
				}
			}
		})
	}
	pushing.Wait()
	cancel()
	sweeping.Wait()
}
