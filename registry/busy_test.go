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

// TestBusy has a store stand still while it is sent two parts of a client's body, which take
// the whole memory budget. Another client is told to come again, and can.
func TestBusy(t *testing.T) {
	t.Parallel()
	parts, goOn := make(chan struct{}, 2), make(chan struct{})
	b := driver.Wrap(mem.NewWith(mem.Imitations()["minio"]), func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
		if c.Body != nil && c.Body.Size() == 8<<20 {
			parts <- struct{}{}
			<-goOn
		}
		return next(ctx)
	})
	srv := serveWith(t, b, "memory_budget=16MiB&memory_wait=1s")
	first, ended := begin(t, srv, "a"), make(chan error)
	go func() {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPatch, first, bytes.NewReader(content(20<<20)))
		if err == nil {
			var res *http.Response
			if res, err = httpClient.Do(req); err == nil {
				err = res.Body.Close()
			}
		}
		ended <- err
	}()
	<-parts
	<-parts
	unknown := func() io.Reader { return struct{ io.Reader }{strings.NewReader("text")} }
	at := begin(t, srv, "a")
	res, body := do(t, http.MethodPatch, at, nil, unknown())
	if res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") != "5" || !strings.Contains(body, "too many uploads") {
		t.Errorf("got %s, Retry-After %q: %s", res.Status, res.Header.Get("Retry-After"), body)
	}
	close(goOn)
	if err := <-ended; err != nil {
		t.Error(err)
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
