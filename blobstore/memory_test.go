package blobstore_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
)

// TestBudget pushes more at once than the budget holds. All succeed, and the
// budget is never exceeded.
func TestBudget(t *testing.T) {
	const pushes, size = 200, 100_000
	b := driver.With(newBucket(t), copyOnly)
	s, err := blobstore.New(b, blobstore.Options{PartSize: 16 << 10, MemoryBudget: 128 << 10, Concurrency: 4})
	if err != nil {
		t.Fatal(err)
	}
	repo := newRepository(t, s, "app")
	var peak atomic.Int64
	stop := make(chan struct{})
	var watch, wg sync.WaitGroup
	watch.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				peak.Store(max(peak.Load(), s.Usage().Memory))
				time.Sleep(100 * time.Microsecond)
			}
		}
	})
	for i := range pushes {
		wg.Go(func() {
			p := content(uint64(i), size)
			if err := pushPlain(t.Context(), repo, p); err != nil {
				t.Errorf("push %d: %v", i, err)
				return
			}
			if got, err := repo.Get(t.Context(), digest.FromBytes(p)); err != nil || !bytes.Equal(got, p) {
				t.Errorf("push %d: content differs: %v", i, err)
			}
		})
	}
	wg.Wait()
	close(stop)
	watch.Wait()
	if peak.Load() == 0 || peak.Load() > 128<<10 {
		t.Errorf("peak of %d bytes, want more than 0 and at most the budget", peak.Load())
	}
	if s.Usage().Memory != 0 {
		t.Errorf("%d bytes in use at the end", s.Usage().Memory)
	}
}

// TestBudgetHonoursContext waits for memory that others hold, with a deadline.
func TestBudgetHonoursContext(t *testing.T) {
	s, err := blobstore.New(newBucket(t), blobstore.Options{PartSize: 16 << 10, MemoryBudget: 16 << 10, Concurrency: 4})
	if err != nil {
		t.Fatal(err)
	}
	repo := newRepository(t, s, "app")
	holder, err := repo.Create(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := holder.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	waiter, err := repo.Create(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := waiter.Write([]byte("y")); !driver.Ended(err) {
		t.Errorf("err = %v, want the deadline", err)
	}
	_ = waiter.Close()
	if err := holder.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := repo.Create(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if _, err := again.Write([]byte("z")); err != nil {
		t.Errorf("after Close: %v", err)
	}
	if _, err := again.Commit(t.Context(), v1.Descriptor{Digest: digest.FromString("z")}); err != nil {
		t.Error(err)
	}
}

// TestBusy has requests wait for a buffer that nobody gives back. They are told in
// time to come again; what is no request waits on, and those who come later succeed
// once there is room.
func TestBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := driver.With(newBucket(t), copyOnly)
		s, err := blobstore.New(b, blobstore.Options{PartSize: 64 << 10, MemoryBudget: 64 << 10, MemoryWait: time.Minute, Concurrency: 1})
		if err != nil {
			t.Fatal(err)
		}
		repo := newRepository(t, s, "app")
		holder, err := repo.Create(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := holder.Write(content(1, 1)); err != nil {
			t.Fatal(err)
		}
		waiting := make(chan error)
		go func() { waiting <- pushPlain(t.Context(), repo, content(2, 100)) }()
		synctest.Wait()

		w, err := repo.Create(request(http.MethodPost, "/", 0))
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		w, err = repo.Resume(request(http.MethodPatch, "/", 100), w.ID())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.ReadFrom(bytes.NewReader(content(3, 100))); !errors.Is(err, blobstore.ErrBusy) || time.Since(began) != time.Minute {
			t.Errorf("got %v after %v, want %v after a minute", err, time.Since(began), blobstore.ErrBusy)
		}
		_ = w.Close()
		select {
		case err := <-waiting:
			t.Errorf("what is no request has ended: %v", err)
		default:
		}
		if err := holder.Close(); err != nil {
			t.Fatal(err)
		}
		if err := <-waiting; err != nil {
			t.Error(err)
		}
		p := content(3, 100)
		if err := finish(repo, w.ID(), p, digest.FromBytes(p)); err != nil {
			t.Errorf("later: %v", err)
		}
	})
}
