package integration_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/distribution/distribution/v3"
	names "github.com/distribution/reference"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/integration/wire"
)

// endTime is how long a call may take from the moment that its context ends, the grace
// period that a commit has then included.
const endTime = time.Second

// TestCancel cancels an upload while one of its requests hangs: each request in
// turn, before the store gets it and after. The call returns soon, what it leaves
// is what the sweeper finds, and nothing wrong is published.
func TestCancel(t *testing.T) {
	for _, s := range stores(t) {
		for _, known := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/digest_known_%v", s.name, known), func(t *testing.T) {
				s.run(t, func(t *testing.T) { cancels(t, s.open(t), known) })
			})
		}
	}
}

// hang is a request that gets no answer.
type hang struct {
	number int  // of the request, from 1; 0 is none
	after  bool // the store has carried it out
}

func cancels(t *testing.T, store cloud, known bool) {
	t.Helper()
	bucket := store.newBucket(t)
	n := cancelled(t, store, bucket, hang{}, known)
	if n < 6 {
		t.Fatalf("the upload takes %d requests: it has no parts", n)
	}
	var g errgroup.Group
	g.SetLimit(6) // they wait most of the time, and what they do must not take long
	for i := range 2 * n {
		g.Go(func() error {
			cancelled(t, store, bucket, hang{i/2 + 1, i%2 == 1}, known)
			return nil
		})
	}
	_ = g.Wait()
}

// cancelled uploads a blob into a folder of its own, cancels that at h, and checks
// what is left. It returns how many requests there were.
func cancelled(t *testing.T, store cloud, bucket string, h hang, known bool) int {
	t.Helper()
	folder := fmt.Sprintf("%s/hang-%d-%v", bucket, h.number, h.after)
	through, proxy := store.through(t)
	u := newInterrupted(t, look(t, through, folder), known, store)
	u.proxy(proxy, h)
	u.run(t)
	n := proxy.Counts().Requests() // without what is removed later
	close(u.over)
	proxy.Intercept(nil)
	if err := u.store.Close(); err != nil { // removes what is to be removed in the background
		t.Errorf("close: %v", err)
	}
	switch asked := u.cancelledAt.Load() != nil; {
	case h.number == 0 && u.err != nil:
		t.Errorf("the upload fails by itself: %v", u.err)
	case h.number > 0 && !asked:
		t.Errorf("request %d never came", h.number)
	case u.err != nil && !errors.Is(u.err, context.Canceled):
		t.Errorf("request %d hangs (carried out: %v): %v, want %v", h.number, h.after, u.err, context.Canceled)
	}
	u.wantTidy(t, look(t, store, folder))
	return n
}

// interrupted is an upload that is cancelled on the way.
type interrupted struct {
	ctx         context.Context //nolint:containedctx // it is what the test is about
	cancel      context.CancelFunc
	cancelledAt atomic.Pointer[time.Time]
	over        chan struct{} // closed when all calls have returned
	err         error         // the first

	content content
	store   *blobstore.Store
	repo    *blobstore.Repository
	options []distribution.BlobCreateOption
	// stays tells that the store can't drop the upload's parts: Azure's that lie at
	// the key of a digest.
	stays bool
}

func newInterrupted(t *testing.T, b driver.Bucket, known bool, store cloud) *interrupted {
	t.Helper()
	u := &interrupted{over: make(chan struct{}), content: content{2*mib + 500*kib, 3}, stays: isAzure(store)}
	u.ctx, u.cancel = context.WithCancel(t.Context())
	partSize := max(mib, b.Features().Parts.MinSize)
	u.content.size = 2*partSize + partSize/2
	if known {
		u.options = append(u.options, blobstore.WithDigest(u.content.digest()))
	}
	s, err := blobstore.New(b, blobstore.Options{PartSize: partSize, DisconnectGrace: endTime / 4, Secret: []byte(secret)})
	if err != nil {
		t.Error(err)
	}
	u.store, u.repo = s, s.Repository(named(t))
	return u
}

func engine(t *testing.T, b driver.Bucket, partSize int64) *blobstore.Store {
	t.Helper()
	s, err := blobstore.New(b, blobstore.Options{PartSize: partSize})
	if err != nil {
		t.Error(err)
	}
	return s
}

func named(t *testing.T) names.Named {
	t.Helper()
	n, err := names.WithName("cancelled")
	if err != nil {
		t.Error(err)
	}
	return n
}

// proxy has one request hang until all is over, and cancels the upload meanwhile.
func (u *interrupted) proxy(p *wire.Proxy, h hang) {
	var seen atomic.Int64
	p.Intercept(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if int(seen.Add(1)) != h.number {
			next.ServeHTTP(w, r)
			return
		}
		if h.after {
			next.ServeHTTP(httptest.NewRecorder(), r)
		}
		now := time.Now()
		u.cancelledAt.Store(&now)
		u.cancel()
		<-u.over
		panic(http.ErrAbortHandler)
	})
}

// run is the upload, by the calls that distribution makes.
func (u *interrupted) run(t *testing.T) {
	t.Helper()
	defer u.cancel()
	var w distribution.BlobWriter
	u.call(t, "Create", func() (err error) {
		w, err = u.repo.Create(u.ctx, u.options...)
		return err
	})
	if u.err != nil {
		return
	}
	const chunk = 300 * kib
	for off := int64(0); off < u.content.size && u.err == nil; off += chunk {
		u.call(t, "Write", func() error {
			_, err := io.Copy(struct{ io.Writer }{w}, u.content.section(off, min(chunk, u.content.size-off)))
			return err
		})
	}
	if u.err == nil {
		u.call(t, "Commit", func() error {
			_, err := w.Commit(u.ctx, v1.Descriptor{Digest: u.content.digest()})
			return err
		})
	}
	u.call(t, "Close", w.Close)
}

// call makes one call, which returns soon after the upload is cancelled.
func (u *interrupted) call(t *testing.T, name string, f func() error) {
	t.Helper()
	began := time.Now()
	err := f()
	if u.err == nil {
		u.err = err
	}
	if at := u.cancelledAt.Load(); at != nil {
		if at.After(began) {
			began = *at
		}
		if late := time.Since(began); late > endTime {
			t.Errorf("%s returns %v after it was cancelled, want at most %v", name, late, endTime)
		}
	}
}

// wantTidy sweeps, after which only what was published is left, and that is right.
func (u *interrupted) wantTidy(t *testing.T, b driver.Bucket) {
	t.Helper()
	s := engine(t, b, 0)
	// What a request had under way when its context ended may reach the store after a
	// first sweep.
	var left []string
	within(10*time.Second, func() bool {
		if _, err := s.Sweep(t.Context(), blobstore.SweepOptions{OlderThan: time.Nanosecond}); err != nil {
			t.Errorf("sweep: %v", err)
		}
		left = keys(t, b)
		return !slices.ContainsFunc(left, func(key string) bool {
			return !strings.HasSuffix(key, "/link") && !isBlob(key)
		})
	})
	blob := ""
	for _, key := range left {
		switch {
		case isBlob(key):
			blob = key
		case !strings.HasSuffix(key, "/link"):
			t.Errorf("%s is left", key)
		}
	}
	d := u.content.digest()
	switch {
	case blob != "":
		wantBlob(t, b, blob, d)
	case u.err == nil:
		t.Errorf("there is no blob, and no error")
	}
	if u.stays {
		return
	}
	// MinIO tells uploads by their exact key alone.
	at := []string{"", "docker/registry/v2/blobs/sha256/" + d.Encoded()[:2] + "/" + d.Encoded() + "/data"}
	for _, left := range uploads(t, b, at...) {
		t.Errorf("parts at %s are left", left.Key)
	}
}

func isBlob(key string) bool { return strings.HasPrefix(key, "docker/registry/v2/blobs/") }

func wantBlob(t *testing.T, b driver.Bucket, key string, want digest.Digest) {
	t.Helper()
	r, err := b.Open(t.Context(), key, driver.Range{}, driver.ReadOptions{})
	if err != nil {
		t.Error(err)
		return
	}
	defer r.Close()
	if got, err := digest.FromReader(r); got != want || err != nil {
		t.Errorf("%s holds %s (%v)", key, got, err)
	}
}
