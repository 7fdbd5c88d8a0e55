package registry_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/blobdock/blobdock/driver/mem"
)

// TestBusy has clients that send hardly anything take the whole memory budget. The
// next one is told to come again, and can.
func TestBusy(t *testing.T) {
	srv := serveWith(t, mem.New(), "memory_budget=16MiB&memory_wait=1s")
	const holders = 2 // of 8 MiB each, as none tells how much will come
	ended := make(chan error)
	var stop []io.Closer
	for range holders {
		at := begin(t, srv, "a")
		r, w := io.Pipe()
		stop = append(stop, w)
		go func() {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPatch, at, r)
			if err == nil {
				var res *http.Response
				if res, err = http.DefaultClient.Do(req); err == nil {
					err = res.Body.Close()
				}
			}
			ended <- err
		}()
		if _, err := w.Write([]byte("a little")); err != nil {
			t.Fatal(err)
		}
	}
	at := begin(t, srv, "a")
	unknown := func() io.Reader { return struct{ io.Reader }{strings.NewReader("text")} }
	var res *http.Response
	var body string
	for range 20 { // the holders' first bytes may still be on their way
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
	for range holders {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	if res, body := do(t, http.MethodPatch, at, nil, unknown()); res.StatusCode != http.StatusAccepted {
		t.Errorf("later: %s: %s", res.Status, body)
	}
}
