package blobstore_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
)

// tight are options with memory for so many parts of 16 KiB.
func tight(parts int64) blobstore.Options {
	o := options()
	o.PartSize, o.MemoryBudget, o.Concurrency = 16<<10, parts*16<<10, 4
	return o
}

// TestBudget pushes more at once than the budget holds. All succeed, and the budget is
// never exceeded.
func TestBudget(t *testing.T) {
	const pushes, size = 40, 100_000
	for name, chunk := range map[string]int{"POST+PUT": 0, "PATCH": size, "PATCHes": 30_000} {
		t.Run(name, func(t *testing.T) {
			var mu sync.Mutex
			var peak int64
			var s *blobstore.Store
			b := driver.Wrap(newBucket(t), func(ctx context.Context, _ *driver.Call, next func(context.Context) error) error {
				u := s.Usage()
				mu.Lock()
				peak = max(peak, u.Memory+u.Cached)
				mu.Unlock()
				time.Sleep(100 * time.Microsecond)
				return next(ctx)
			})
			s = newStoreWith(t, b, tight(8))
			repo := newRepository(t, s, "app")
			var wg sync.WaitGroup
			for i := range uint64(pushes) {
				wg.Go(func() {
					p := content(i, size)
					if err := push(repo, p, chunk, digest.FromBytes(p)); err != nil {
						t.Errorf("push %d: %v", i, err)
						return
					}
					wantContent(t, repo, digest.FromBytes(p), p)
				})
			}
			wg.Wait()
			if peak < 32<<10 || peak > 128<<10 {
				t.Errorf("peak of %d bytes, want at least a quarter of the budget and at most all", peak)
			}
			wantKeys(t, b, 2*pushes, s)
		})
	}
}

// stall is a body that delivers p and then nothing more until goOn is closed.
type stall struct {
	*bytes.Reader
	goOn <-chan struct{}
}

func (s stall) Read(p []byte) (int, error) {
	if s.Len() == 0 {
		<-s.goOn
		return 0, io.EOF
	}
	return s.Reader.Read(p)
}

// TestStalledClients has many clients send a little and then nothing, on open connections.
// Each holds little more than it sent, all together no more than there is, and a push gets
// what it needs at once. The bytes that they sent are kept.
func TestStalledClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const clients, sent = 200, 1500
		b := newBucket(t)
		s := newStoreWith(t, b, tight(16))
		repo := newRepository(t, s, "app")
		goOn := make(chan struct{})
		ids := make([]string, clients)
		var wg sync.WaitGroup
		for i := range clients {
			id := begin(t, repo)
			wg.Go(func() {
				w := resume(t, repo, id, -1)
				if _, err := w.ReadFrom(stall{bytes.NewReader(content(uint64(i), sent)), goOn}); err != nil {
					t.Errorf("client %d: %v", i, err)
				}
				ids[i] = w.ID()
				_ = w.Close()
			})
		}
		synctest.Wait()
		if u := s.Usage(); u.Memory > u.Budget || u.Waiting != 0 {
			t.Errorf("clients that sent %d bytes in all: %+v", clients*sent, u)
		}
		began := time.Now()
		p := content(1000, 200_000)
		if err := push(repo, p, 0, digest.FromBytes(p)); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("a push beside them took %v", took)
		}
		close(goOn)
		wg.Wait()
		for i, id := range ids {
			finishAll(t, repo, id, content(uint64(i), sent))
		}
		wantKeys(t, b, 2*clients+2, s)
	})
}

// TestBusy has requests wait for memory that nobody gives back: a PUT at a digest's key
// holds parts that can't be moved out of memory. They are told in time to come again; calls
// that are no requests wait on, and later ones succeed once there is room.
func TestBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBucket(t)
		s := newStoreWith(t, b, tight(2))
		repo := newRepository(t, s, "app")
		goOn := make(chan struct{})
		held := make(chan error)
		for i := range uint64(2) {
			p, id := content(10+i, 3*16<<10), begin(t, repo)
			go func() {
				w, err := repo.Resume(putRequest(digest.FromBytes(p), len(p)), id)
				if err == nil {
					// The rest of the last part does not come.
					_, err = w.ReadFrom(io.MultiReader(bytes.NewReader(p[:len(p)-1]), stall{bytes.NewReader(nil), goOn}, bytes.NewReader(p[len(p)-1:])))
				}
				if err == nil {
					_, err = w.Commit(context.Background(), v1.Descriptor{Digest: digest.FromBytes(p)})
				}
				if err == nil {
					err = w.Close()
				}
				held <- err
			}()
			synctest.Wait()
		}
		large := content(2, 32<<10)
		waiting := make(chan error, 1)
		go func() { waiting <- pushPlain(t.Context(), repo, large) }()
		synctest.Wait()

		began := time.Now()
		w := resume(t, repo, begin(t, repo), 32<<10)
		q := content(3, 32<<10)
		if _, err := w.ReadFrom(bytes.NewReader(q)); !errors.Is(err, blobstore.ErrBusy) || time.Since(began) != blobstore.DefaultMemoryWait {
			t.Errorf("got %v after %v, want %v after %v", err, time.Since(began), blobstore.ErrBusy, blobstore.DefaultMemoryWait)
		}
		id := w.ID()
		_ = w.Close()
		began = time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		if err := pushPlain(ctx, repo, large); !driver.IsContextError(err) || time.Since(began) != 20*time.Second {
			t.Errorf("after %v: %v, want the deadline", time.Since(began), err)
		}
		select {
		case err := <-waiting:
			t.Errorf("a push that is no request has ended: %v", err)
		default:
		}
		close(goOn)
		for range 2 {
			if err := <-held; err != nil {
				t.Error(err)
			}
		}
		if err := <-waiting; err != nil {
			t.Error(err)
		}
		finishAll(t, repo, id, q)
		wantKeys(t, b, 8, s)
	})
}
