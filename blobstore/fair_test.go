package blobstore_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/distribution/distribution/v3"
	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/meter"
)

// paced is a body whose client sends step bytes a second.
type paced struct {
	*bytes.Reader
	step int
}

func (p paced) Read(b []byte) (int, error) {
	if p.Len() == 0 {
		return 0, io.EOF
	}
	time.Sleep(time.Second)
	return p.Reader.Read(b[:min(len(b), p.step)])
}

// shared is a Store with memory for some parts, on which clients push.
type shared struct {
	*blobstore.Repository
	store  *blobstore.Store
	bucket driver.Bucket
	calls  meter.Counter
	before atomic.Pointer[func(driver.Op)] // each call
	began  time.Time
	done   chan struct{}
	left   int
}

const sharedPart = 64 << 10

func share(t *testing.T, parts int64) *shared {
	t.Helper()
	s := &shared{began: time.Now(), done: make(chan struct{})}
	s.bucket = driver.Wrap(meter.Wrap(driver.With(newBucket(t), copyOnly), s.calls.Observe),
		func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
			if before := s.before.Load(); before != nil {
				(*before)(c.Op)
			}
			return next(ctx)
		})
	s.store = s.replica(t, parts)
	s.Repository = newRepository(t, s.store, "app")
	t.Cleanup(func() {
		if u := s.store.Usage(); u.Memory != 0 || u.Waiting != 0 || u.Uploads != 0 {
			t.Errorf("at the end %+v", u)
		}
	})
	return s
}

func (s *shared) replica(t *testing.T, parts int64) *blobstore.Store {
	t.Helper()
	st, err := blobstore.New(s.bucket, blobstore.Options{
		PartSize: sharedPart, MemoryBudget: parts * sharedPart, MemoryWait: time.Minute, Concurrency: 2,
	})
	if err != nil {
		t.Fatal(err)
	}
	return st
}

// push sends p at step bytes a second from the address client, in the background. It
// must take at most the time given, from the beginning on.
func (s *shared) push(t *testing.T, client string, p []byte, step int, within time.Duration) {
	t.Helper()
	id := begin(t, s.Repository)
	s.left++
	go func() {
		defer func() { s.done <- struct{}{} }()
		ctx := request(http.MethodPatch, "/", -1)
		ctx.Value("http.request").(*http.Request).RemoteAddr = client + ":1"
		w, err := s.Resume(ctx, id)
		if err != nil {
			t.Error(err)
			return
		}
		if n, err := w.ReadFrom(paced{bytes.NewReader(p), step}); n != int64(len(p)) || err != nil {
			t.Errorf("%s: %d of %d bytes after %v: %v", client, n, len(p), time.Since(s.began), err)
		}
		if took := time.Since(s.began); took > within {
			t.Errorf("%s: took %v, want at most %v", client, took, within)
		}
		if err := w.Close(); err != nil {
			t.Error(err)
		}
		if err := finish(s.Repository, id, nil, digest.FromBytes(p)); err != nil {
			t.Errorf("%s: %v", client, err)
		}
		if got, err := s.Get(context.Background(), digest.FromBytes(p)); err != nil || !bytes.Equal(got, p) {
			t.Errorf("%s: content differs (%v)", client, err)
		}
	}()
	synctest.Wait() // each begins when the others stand still
}

// trickle sends a byte of p each second, in the background. What comes of it is told when
// that is over.
func (s *shared) trickle(t *testing.T, ctx context.Context, id string, p []byte) (distribution.BlobWriter, <-chan error) {
	t.Helper()
	w, err := s.Resume(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	read := make(chan error)
	go func() {
		_, err := w.ReadFrom(paced{bytes.NewReader(p), 1})
		read <- err
	}()
	synctest.Wait()
	return w, read
}

// hold takes all memory there is for an upload that sends nothing, when its turn comes.
func (s *shared) hold(t *testing.T) (release func()) {
	t.Helper()
	w, err := s.Create(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	held := make(chan struct{})
	go func() {
		if _, err := w.Write([]byte("x")); err != nil {
			t.Error(err)
		}
		close(held)
	}()
	synctest.Wait()
	return func() {
		<-held
		if err := w.Cancel(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

func (s *shared) wait() {
	for range s.left {
		<-s.done
	}
}

// One client's many uploads keep another's single one from nothing but what they
// hold when it comes.
func TestFairBetweenClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := share(t, 2)
		for i := range uint64(20) {
			s.push(t, "192.0.2.1", content(i, 1000), 1000, time.Hour)
		}
		s.push(t, "192.0.2.2", content(99, 1000), 1000, 2*time.Second)
		s.wait()
	})
}

// A large upload lets others have their turn after each part, for which it reads twice.
func TestPartsInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := share(t, 1)
		s.push(t, "192.0.2.1", content(1, 50*sharedPart), sharedPart, time.Hour)
		s.push(t, "192.0.2.1", content(2, 1000), 1000, 3*time.Second)
		s.push(t, "192.0.2.2", content(3, 50*sharedPart), sharedPart, time.Hour)
		s.push(t, "192.0.2.3", content(4, 1000), 1000, 6*time.Second)
		s.wait()
	})
}

// A client that sends a byte now and then keeps others waiting for a while only.
func TestTrickle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := share(t, 1)
		s.push(t, "192.0.2.1", content(1, 200), 1, time.Hour)
		s.push(t, "192.0.2.1", content(2, 3*sharedPart), sharedPart, 60*time.Second)
		s.push(t, "192.0.2.2", content(3, 1000), 1000, 20*time.Second)
		s.wait()
	})
}

// Slow uploads of several parts take turns in mid-part, also at a key of their own, where
// there is no digest to notice that bytes got lost.
func TestSlowInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const step = sharedPart / 40
		s := share(t, 1)
		s.push(t, "192.0.2.1", content(1, 3*sharedPart+sharedPart/2), step, time.Hour)
		s.push(t, "192.0.2.1", content(2, 3*sharedPart), step, time.Hour)
		p := content(3, 2*sharedPart+1)
		f, err := s.store.Append(t.Context(), "file", false)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := f.ReadFrom(paced{bytes.NewReader(p), step}); n != int64(len(p)) || err != nil {
			t.Errorf("%d of %d bytes: %v", n, len(p), err)
		}
		if err := f.Commit(t.Context()); err != nil {
			t.Error(err)
		}
		s.wait()
		r, err := s.store.OpenKey(t.Context(), "file", 0)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, p) {
			t.Errorf("content differs (%v)", err)
		}
		if n := requests(&s.calls)[driver.OpOpen]; n < 3*2+10 {
			t.Errorf("%d reads: nobody made way", n)
		}
	})
}

// An upload that can't get memory for its next bytes ends with all that it took in
// persisted, and goes on from there at another replica. It waits longer than new ones.
func TestWaitInMidUpload(t *testing.T) {
	for _, tt := range []struct {
		name string
		step int
		gone bool // the client goes away
		want error
	}{
		{"between parts", sharedPart, false, blobstore.ErrBusy},
		{"between parts, client gone", sharedPart, true, context.DeadlineExceeded},
		{"in mid-part", 100, false, blobstore.ErrBusy},
		{"in mid-part, client gone", 100, true, context.DeadlineExceeded},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := share(t, 1)
				p, id := content(1, 4*sharedPart), begin(t, s.Repository)
				ctx := request(http.MethodPatch, "/", int64(len(p)))
				if tt.gone {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, 2*time.Minute)
					defer cancel()
				}
				w, err := s.Resume(ctx, id)
				if err != nil {
					t.Fatal(err)
				}
				var n int64
				read := make(chan error)
				go func() {
					var err error
					n, err = w.ReadFrom(paced{bytes.NewReader(p), tt.step})
					read <- err
				}()
				synctest.Wait()
				release := s.hold(t)
				err = <-read
				took := time.Since(s.began)
				if !errors.Is(err, tt.want) || n == 0 || n == int64(len(p)) || w.Size() != n {
					t.Errorf("%d bytes, %d persisted: %v, want %v", n, w.Size(), err, tt.want)
				}
				if err := w.Close(); err != nil {
					t.Error(err)
				}
				if !tt.gone && (took < 4*time.Minute || took > 5*time.Minute) {
					t.Errorf("waited %v, want four times as long as a new one", took)
				}
				other := newRepository(t, s.replica(t, 1), "app")
				if err := finish(other, id, p[n:], digest.FromBytes(p)); err != nil {
					t.Errorf("going on after %d bytes: %v", n, err)
				}
				release()
			})
		})
	}
}

// A client that goes away while its upload makes way finds all that it sent.
func TestGoneWhileMakingWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := share(t, 1)
		p, id := content(1, 1000), begin(t, s.Repository)
		ctx, cancel := context.WithCancel(request(http.MethodPatch, "/", -1))
		defer cancel()
		w, read := s.trickle(t, ctx, id, p)
		release := s.hold(t)
		cut := func(op driver.Op) {
			if op == driver.OpPut {
				cancel()
			}
		}
		s.before.Store(&cut)
		if err := <-read; !errors.Is(err, context.Canceled) {
			t.Errorf("err = %v, want %v", err, context.Canceled)
		}
		s.before.Store(nil)
		release()
		n := w.Size()
		if err := w.Close(); err != nil || n == 0 {
			t.Errorf("%d bytes persisted: %v", n, err)
		}
		if err := finish(s.Repository, id, p[n:], digest.FromBytes(p)); err != nil {
			t.Error(err)
		}
	})
}

// An upload that goes on elsewhere while it waits in mid-part is told so.
func TestConflictInMidUpload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := share(t, 1)
		p, id := content(1, 1000), begin(t, s.Repository)
		w, read := s.trickle(t, request(http.MethodPatch, "/", -1), id, p)
		release := s.hold(t)
		time.Sleep(time.Minute)
		other, err := newRepository(t, s.replica(t, 1), "app").Resume(request(http.MethodPatch, "/", -1), id)
		if err != nil {
			t.Fatal(err)
		}
		n := int(other.Size())
		if _, err := other.ReadFrom(bytes.NewReader(p[n:])); n == 0 || err != nil {
			t.Errorf("after %d bytes: %v", n, err)
		}
		if err := other.Close(); err != nil {
			t.Error(err)
		}
		release()
		if err := <-read; !errors.Is(err, blobstore.ErrUploadConflict) {
			t.Errorf("err = %v, want %v", err, blobstore.ErrUploadConflict)
		}
		_ = w.Close()
		if err := finish(s.Repository, id, nil, digest.FromBytes(p)); err != nil {
			t.Error(err)
		}
	})
}

// Not all give their memory to one who comes.
func TestOneMakesWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const slow = 10
		s := share(t, slow)
		for i := range uint64(slow) {
			s.push(t, "192.0.2.1", content(i, 100), 1, time.Hour)
		}
		time.Sleep(30 * time.Second)
		s.calls.Reset()
		release := s.hold(t)
		time.Sleep(20 * time.Second)
		if n := requests(&s.calls)[driver.OpPut]; n != 2 {
			t.Errorf("%d sessions are written, want the newcomer's and that of one who made way", n)
		}
		release()
		s.wait()
	})
}

// What has no session gets one when others must have their turn, and leaves none.
func TestTrickleWithoutSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := share(t, 1)
		p := content(1, 100)
		put := make(chan error)
		go func() {
			put <- s.store.PutBlob(t.Context(), digest.FromBytes(p), int64(len(p)), paced{bytes.NewReader(p), 1}, blobstore.BlobOptions{})
		}()
		synctest.Wait()
		s.push(t, "192.0.2.1", content(2, 1000), 1000, 20*time.Second)
		s.wait()
		if err := <-put; err != nil {
			t.Error(err)
		}
		time.Sleep(time.Second)
		got, err := s.store.Sweep(t.Context(), blobstore.SweepOptions{OlderThan: time.Nanosecond, DryRun: true})
		if err != nil || got != (blobstore.SweepResult{}) {
			t.Errorf("left behind: %+v (%v)", got, err)
		}
	})
}
