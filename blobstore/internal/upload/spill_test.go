package upload

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/driver"
)

// spillAfter has w's memory taken away once, right after the lock was taken for the nth
// time and given back. done reports how often the lock was taken in all, and ends this.
//
// The lock has no room then: each Lock meets the receiver here, or another holder's Unlock,
// and each Unlock the sender, or another's Lock.
func spillAfter(w *Writer, n int) (done func() int) {
	w.mu = make(lock)
	stop, ended, taken := make(chan struct{}), make(chan struct{}), 0
	go func() {
		defer close(ended)
		for {
			select {
			case <-w.mu:
				taken++
			case <-stop:
				return
			}
			if taken == n {
				go w.spill()
				synctest.Wait() // it waits for the lock, or has it
			}
			w.mu <- struct{}{}
		}
	}()
	return func() int {
		close(stop)
		<-ended
		return taken
	}
}

// TestSpillAnywhere takes the memory of a Writer away at each moment at which nobody holds
// its lock, in all kinds of requests.
func TestSpillAnywhere(t *testing.T) {
	for _, store := range []string{"minio", "gcs", "r2", "plain"} {
		for _, tt := range []struct {
			name         string
			before, body int
			length       bool
			final        bool
		}{
			{"one PUT", 0, 3*testPart + 100, true, true},
			{"one PUT of unknown length", 0, 3*testPart + 100, false, true},
			{"small PUT", 0, 100, true, true},
			{"PATCH", 0, 2*testPart + 100, false, false},
			{"PATCH behind bytes", 300, 2*testPart + 100, false, false},
			{"PUT behind bytes", testPart/2 + 300, testPart + 100, true, true},
		} {
			t.Run(store+"/"+tt.name, func(t *testing.T) {
				for n, more := 1, true; more; n++ {
					synctest.Test(t, func(t *testing.T) { more = spillOnce(t, store, tt.before, tt.body, tt.length, tt.final, n) })
					if t.Failed() {
						t.Fatalf("after %d times", n)
					}
				}
			})
		}
	}
}

// spillOnce makes an upload of two requests, and reports whether the lock was taken so often
// in the second one.
func spillOnce(t *testing.T, store string, before, body int, length, final bool, n int) bool {
	e, b, budget := on(t, store, pass)
	content := bytesOf(before+body, uint64(body))
	d := digest.FromBytes(content)
	id := post(t, e)
	if before > 0 {
		id = patch(t, e, id, content[:before])
	}
	r := Request{Length: -1, Final: final}
	if length {
		r.Length = int64(body)
	}
	if final {
		r.Digest = d
	}
	w, err := e.Resume(t.Context(), "repo", id, r)
	if err != nil {
		t.Fatal(err)
	}
	done := spillAfter(w, n)
	if _, err := w.ReadFrom(&spillingReader{bytes.NewReader(content[before:]), func() {}}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Commit(t.Context(), d, 0); err != nil {
		t.Fatal(err)
	}
	taken := done()
	w.mu = newLock()
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	wantBlob(t, b, content)
	if err := e.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if u := budget.Usage(); u.Used != 0 || u.Holders != 0 {
		t.Errorf("%+v", u)
	}
	wantTidy(t, b, before+body, 0)
	wantNoUploads(t, b)
	return taken >= n
}

func wantNoUploads(t *testing.T, b driver.Bucket) {
	t.Helper()
	for u, err := range driver.ListUploads(t.Context(), b, driver.ListRequest{}) {
		t.Errorf("a multipart upload to %s is left: %v", u.Key, err)
	}
}

// TestSpillWhileCreating takes the memory away while the multipart upload at the digest's
// key is created: the first part then has bytes that are in a state.
func TestSpillWhileCreating(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w *Writer
		e, b, _ := on(t, "minio", func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
			err := next(ctx)
			if c.Op == driver.OpCreateUpload && w.state.header.Offset == 0 {
				w.spill()
			}
			return err
		})
		content := bytesOf(3*testPart+100, 1)
		d := digest.FromBytes(content)
		w, err := e.Resume(t.Context(), "repo", post(t, e), Request{Length: int64(len(content)), Digest: d, Final: true})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.ReadFrom(bytes.NewReader(content)); err != nil {
			t.Fatal(err)
		}
		if w.direct == nil || w.state.header.Offset == 0 {
			t.Error("the body does not go to the digest's key, or nothing of it to a state: this tests nothing")
		}
		if _, err := w.Commit(t.Context(), d, 0); err != nil {
			t.Fatal(err)
		}
		wantBlob(t, b, content)
		if err := errors.Join(w.Close(), e.Close(t.Context())); err != nil {
			t.Fatal(err)
		}
		wantTidy(t, b, len(content), 0)
		wantNoUploads(t, b)
	})
}
