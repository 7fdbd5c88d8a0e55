package blobstore_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
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
	store *blobstore.Store
	began time.Time
	done  chan struct{}
	left  int
}

const sharedPart = 64 << 10

func share(t *testing.T, parts int64) *shared {
	t.Helper()
	s, err := blobstore.New(driver.With(newBucket(t), copyOnly), blobstore.Options{
		PartSize: sharedPart, MemoryBudget: parts * sharedPart, MemoryWait: time.Minute, Concurrency: 2,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if u := s.Usage(); u.Memory != 0 || u.Waiting != 0 || u.Uploads != 0 {
			t.Errorf("at the end %+v", u)
		}
	})
	return &shared{Repository: newRepository(t, s, "app"), store: s, began: time.Now(), done: make(chan struct{})}
}

// push sends p at step bytes a second from the address client, in the background. It
// must take at most the time given, from the beginning on.
func (s *shared) push(t *testing.T, client string, p []byte, step int, within time.Duration) {
	t.Helper()
	request := func(method string) context.Context {
		ctx := request(method, "/", -1)
		ctx.Value("http.request").(*http.Request).RemoteAddr = client + ":1"
		return ctx
	}
	w, err := s.Create(request(http.MethodPost))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	s.left++
	go func() {
		defer func() { s.done <- struct{}{} }()
		w, err := s.Resume(request(http.MethodPatch), w.ID())
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
		if err := finish(s.Repository, w.ID(), nil, digest.FromBytes(p)); err != nil {
			t.Errorf("%s: %v", client, err)
		}
		if got, err := s.Get(context.Background(), digest.FromBytes(p)); err != nil || !bytes.Equal(got, p) {
			t.Errorf("%s: content differs (%v)", client, err)
		}
	}()
	synctest.Wait() // each begins when the others stand still
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
