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
			wantKeys(t, b, 2*pushes, s)
			mu.Lock() // the store may still be asked to remove what the pushes have left
			defer mu.Unlock()
			if peak < 32<<10 || peak > 128<<10 {
				t.Errorf("peak of %d bytes, want at least a quarter of the budget and at most all", peak)
			}
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

// trickle is a body that comes byte by byte until goOn is closed, and then at once.
type trickle struct {
	io.Reader
	goOn <-chan struct{}
}

func (s trickle) Read(p []byte) (int, error) {
	select {
	case <-s.goOn:
		return s.Reader.Read(p)
	case <-time.After(100 * time.Millisecond):
		return s.Reader.Read(p[:1])
	}
}

// TestStalledClients has many clients send a little more than a part, and then nothing or a
// byte now and then, on open connections. They would hold many times the budget. Pushes of
// other clients end all the same while the connections are open, and the stalled ones then
// go on from there.
func TestStalledClients(t *testing.T) {
	const clients, sent, size = 40, 24 << 10, 40 << 10
	for _, tt := range []struct {
		name   string
		final  bool // the bytes come with the PUT
		length int
		slow   bool
	}{
		{"PATCH", false, -1, false},
		{"PATCH of known length", false, size, false},
		{"slow PATCH", false, -1, true},
		{"PUT", true, size, false},
		{"PUT of unknown length", true, -1, false},
		{"slow PUT", true, size, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			onEachStore(t, func(t *testing.T, newBucket func() driver.Bucket) {
				b := newBucket()
				s := newStoreWith(t, b, tight(16))
				repo := newRepository(t, s, "app")
				goOn, ended := make(chan struct{}), make(chan error, clients)
				for i := range clients {
					p := content(uint64(i), size)
					rest := io.Reader(bytes.NewReader(p[sent:]))
					if tt.slow {
						rest = trickle{rest, goOn}
					} else {
						rest = io.MultiReader(stall{bytes.NewReader(nil), goOn}, rest)
					}
					body := io.MultiReader(bytes.NewReader(p[:sent]), rest)
					go func() { ended <- send(repo, begin(t, repo), p, body, tt.length, tt.final) }()
				}
				time.Sleep(time.Second)
				for i, chunk := range []int{0, 10_000, 0, 200_000} {
					p := content(1000+uint64(i), []int{100, 100_000, 200_000, 200_000}[i])
					if err := push(repo, p, chunk, digest.FromBytes(p)); err != nil {
						t.Errorf("push of %d bytes in PATCHes of %d beside them: %v", len(p), chunk, err)
					}
				}
				if n := len(ended); n > 0 {
					t.Errorf("%d of the clients have ended", n)
				}
				close(goOn)
				for range clients {
					if err := <-ended; err != nil {
						t.Error(err)
					}
				}
				for i := range clients {
					p := content(uint64(i), size)
					wantContent(t, repo, digest.FromBytes(p), p)
				}
				wantKeys(t, b, 2*clients+8, s)
			})
		})
	}
}

// send uploads p by one request whose body is given: a PATCH, before a PUT that has none, or
// the PUT.
func send(repo *blobstore.Repository, id string, p []byte, body io.Reader, length int, final bool) error {
	d := digest.FromBytes(p)
	ctx := request(http.MethodPatch, "/", int64(length))
	if final {
		ctx = putRequest(d, length)
	}
	w, err := repo.Resume(ctx, id)
	if err != nil {
		return err
	}
	defer w.Close()
	if _, err := w.ReadFrom(body); err != nil {
		return err
	}
	if final {
		_, err = w.Commit(ctx, v1.Descriptor{Digest: d})
		return err
	}
	return sendPUT(repo, w.ID(), d, nil)
}

// TestBusy has requests wait for memory that nobody gives back, as the store stands still.
// They are told in time to come again; calls that are no requests wait on, and later ones
// succeed once there is room.
func TestBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, goOn := newBucket(t), make(chan struct{})
		s := newStoreWith(t, driver.Wrap(b, func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
			select {
			case <-goOn:
				return next(ctx)
			case <-ctx.Done():
				return driver.NewError(c.Op, c.Key, ctx.Err())
			}
		}), tight(2))
		repo := newRepository(t, s, "app")
		large := content(2, 3*16<<10)
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
		if err := <-waiting; err != nil {
			t.Error(err)
		}
		wantContent(t, repo, digest.FromBytes(large), large)
		finishAll(t, repo, id, q)
		wantKeys(t, b, 4, s)
	})
}
