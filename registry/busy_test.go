package registry_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/limit"
	"github.com/blobdock/blobdock/driver/mem"
)

// TestBusy has two clients stall in bodies that go to their digests' keys part by part,
// which nothing can persist, and which take the whole memory budget. A third client is
// told to come again, and can.
func TestBusy(t *testing.T) {
	stored := make(chan struct{}, 2)
	b := driver.Wrap(mem.NewWith(mem.Imitations()["minio"]), func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
		err := next(ctx)
		if c.Op == driver.OpPutPart {
			stored <- struct{}{}
		}
		return err
	})
	srv := serveWith(t, b, "memory_budget=16MiB&memory_wait=1s")
	ended := make(chan error)
	var stop []io.Closer
	for range 2 {
		at := withDigest(begin(t, srv, "a"), digest.FromString("never sent"))
		r, w := io.Pipe()
		stop = append(stop, w)
		go func() {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, at, r)
			if err == nil {
				req.ContentLength = 20 << 20
				var res *http.Response
				if res, err = http.DefaultClient.Do(req); err == nil {
					err = res.Body.Close()
				}
			}
			ended <- err
		}()
		if _, err := w.Write(content(9 << 20)); err != nil { // one part, and the beginning of the next
			t.Fatal(err)
		}
		<-stored // while two parts are in memory, the second client's would be persisted otherwise
	}
	unknown := func() io.Reader { return struct{ io.Reader }{strings.NewReader("text")} }
	at := begin(t, srv, "a")
	var res *http.Response
	var body string
	for began := time.Now(); time.Since(began) < 20*time.Second; { // the holders' first bytes may still be on their way
		res, body = do(t, http.MethodPatch, at, nil, unknown())
		if res.StatusCode != http.StatusAccepted {
			break
		}
		at = res.Header.Get("Location")
	}
	if res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") != "5" || !strings.Contains(body, "too many uploads") {
		t.Errorf("got %s, Retry-After %q: %s", res.Status, res.Header.Get("Retry-After"), body)
	}
	for _, w := range stop {
		_ = w.Close()
	}
	for range stop {
		<-ended // a body that is too short fails in the client, too
	}
	if res, body := do(t, http.MethodPatch, at, nil, unknown()); res.StatusCode != http.StatusAccepted {
		t.Errorf("later: %s: %s", res.Status, body)
	}
}

// TestLongRetryAfter has the store ask for an hour, by 429 or 503, as a maintenance page
// does. The client is told so at once, with the hour, and requests that come meanwhile don't
// wait for it.
func TestLongRetryAfter(t *testing.T) {
	for kind, want := range map[driver.Kind]int{driver.Throttled: http.StatusTooManyRequests, driver.Unavailable: http.StatusServiceUnavailable} {
		var down atomic.Bool
		b := driver.Wrap(mem.New(), func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
			if down.Load() {
				return &driver.Error{Op: c.Op, Key: c.Key, Kind: kind, RetryAfter: time.Hour}
			}
			return next(ctx)
		})
		srv := serve(t, b)
		p := content(100)
		push := func() (*http.Response, string) {
			return do(t, http.MethodPut, withDigest(begin(t, srv, "a"), digest.FromBytes(p)), nil, bytes.NewReader(p))
		}
		began := time.Now()
		down.Store(true)
		for range 3 {
			res, body := push()
			if res.StatusCode != want || res.Header.Get("Retry-After") != "3600" {
				t.Errorf("%v: got %s, Retry-After %q: %s", kind, res.Status, res.Header.Get("Retry-After"), body)
			}
		}
		down.Store(false)
		if res, body := push(); res.StatusCode != http.StatusCreated {
			t.Errorf("%v, when it is over: %s: %s", kind, res.Status, body)
		}
		if took := time.Since(began); took > limit.DefaultMaxRetryAfter {
			t.Errorf("%v: the requests took %v", kind, took)
		}
	}
}
