package integration_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/blobdock/blobdock/driver"
)

// twoReplicas serves one bucket twice, in parts of 5 MiB.
func twoReplicas(t *testing.T, store cloud) (one, two *httptest.Server, inside driver.Bucket) {
	t.Helper()
	bucket := store.newBucket(t)
	return serve(t, inParts(t, store, bucket)), serve(t, inParts(t, store, bucket)), look(t, store, bucket)
}

// TestUploadMovesBetweenReplicas begins an upload on one replica, goes on with it
// on the other, and ends it on the first.
func TestUploadMovesBetweenReplicas(t *testing.T) { onEach(t, moves) }

func moves(t *testing.T, store cloud) {
	one, two, inside := twoReplicas(t, store)
	for _, size := range []int64{3 * kib, 2 * mib, 31 * mib} {
		c := content{size, 5}
		third := size / 3
		at := begin(t, one.URL, "moves")
		at = patch(t, onReplica(t, two.URL, at), c, 0, third)
		at = patch(t, onReplica(t, one.URL, at), c, third, 2*third)
		res := do(t, http.MethodGet, onReplica(t, two.URL, at), nil, nil).want(t, http.StatusNoContent)
		if got, want := res.Header.Get("Range"), fmt.Sprintf("0-%d", 2*third-1); got != want {
			t.Errorf("status on the other replica: range %s, want %s", got, want)
		}
		at = patch(t, onReplica(t, two.URL, at), c, 2*third, size-10)
		put(t, onReplica(t, one.URL, at), c.digest(), c.section(size-10, 10))
		for _, srv := range []*httptest.Server{one, two} {
			pull(t, srv.URL, "moves", c.digest(), size)
		}
	}
	wantNoUploads(t, inside)
}

// wantNoUploads checks that uploads that ended leave nothing: their objects go in the
// background.
func wantNoUploads(t *testing.T, inside driver.Bucket) {
	t.Helper()
	var left []string
	if !within(15*time.Second, func() bool {
		all := keys(t, inside)
		left = slices.DeleteFunc(slices.Clone(all), func(key string) bool {
			return isBlob(key) || strings.HasSuffix(key, "/link")
		})
		// MinIO tells uploads by their exact key alone.
		for _, u := range uploads(t, inside, append(all, "")...) {
			left = append(left, "parts at "+u.Key)
		}
		return len(left) == 0
	}) {
		t.Errorf("left: %q", left)
	}
}

// uploads lists those under way whose keys begin with one of the prefixes.
func uploads(t testing.TB, inside driver.Bucket, prefixes ...string) []driver.Upload {
	t.Helper()
	var out []driver.Upload
	for _, prefix := range prefixes {
		for u, err := range driver.ListUploads(t.Context(), inside, driver.ListRequest{Prefix: prefix}) {
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, u)
		}
	}
	return out
}

// stalled is a body that stops at a byte until it is told to go on.
type stalled struct {
	io.Reader // what comes first
	rest      io.Reader
	reached   chan struct{} // closed when all of the first part was read
	goOn      <-chan struct{}
	once      sync.Once
}

// stallAt is c's bytes from off on; it stops at the byte at.
func stallAt(c content, off, at int64, goOn <-chan struct{}) *stalled {
	return &stalled{Reader: c.section(off, at-off), rest: c.section(at, c.size-at), reached: make(chan struct{}), goOn: goOn}
}

func (s *stalled) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	if n > 0 || err == nil {
		return n, nil
	}
	s.once.Do(func() { close(s.reached) })
	<-s.goOn
	return s.rest.Read(p)
}

// TestRacingPatches has two clients send different bytes to one upload at the same
// time, through two replicas, their bodies stalled half way. Each goes on with what it
// has sent, and both publish that.
func TestRacingPatches(t *testing.T) { onEach(t, race) }

func race(t *testing.T, store cloud) {
	one, two, inside := twoReplicas(t, store)
	for round, tc := range []struct{ size, stall int64 }{
		{100 * kib, 50 * kib}, {100 * kib, 0}, {13 * mib, 6 * mib}, {13 * mib, 11 * mib},
		{13 * mib, mib}, {26 * mib, 21 * mib}, {6 * mib, 5 * mib}, {mib, mib - 1},
	} {
		at := begin(t, one.URL, "race")
		goOn := make(chan struct{})
		var (
			replies [2]reply
			errs    [2]error
			bodies  [2]*stalled
			done    [2]chan struct{}
		)
		sent := [2]content{{tc.size, uint64(2 * round)}, {tc.size, uint64(2*round + 1)}}
		for i, srv := range []*httptest.Server{one, two} {
			bodies[i] = stallAt(sent[i], 0, tc.stall, goOn)
			done[i] = make(chan struct{})
			go func() {
				defer close(done[i])
				replies[i], errs[i] = send(t, http.MethodPatch, onReplica(t, srv.URL, at), nil, bodies[i], tc.size)
			}()
		}
		for _, b := range bodies {
			select {
			case <-b.reached:
			case <-time.After(30 * time.Second):
				t.Fatalf("round %d: a body is not read", round)
			}
		}
		close(goOn)
		<-done[0]
		<-done[1]
		if errs[0] != nil || errs[1] != nil {
			t.Fatalf("round %d: %v, %v", round, errs[0], errs[1])
		}
		for i, c := range sent {
			put(t, replies[i].want(t, http.StatusAccepted).location(), c.digest(), nil)
			pull(t, two.URL, "race", c.digest(), c.size)
		}
	}
	wantNoUploads(t, inside)
}

// TestCutBody cuts a client off in mid PATCH. Everything that it sent is kept, to
// the byte, and another replica goes on from there.
func TestCutBody(t *testing.T) { onEach(t, cuts) }

func cuts(t *testing.T, store cloud) {
	one, two, inside := twoReplicas(t, store)
	for _, cut := range []int64{1000, 7*mib + 345} {
		c := content{12 * mib, uint64(cut)}
		at := begin(t, one.URL, "cut")
		abandon(t, at, c, 0, cut)
		at = resumeAt(t, onReplica(t, two.URL, at), cut)
		at = patch(t, at, c, cut, c.size)
		put(t, at, c.digest(), nil)
		pull(t, one.URL, "cut", c.digest(), c.size)
	}
	wantNoUploads(t, inside)
}
