package registry_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/mem"
)

// TestBusy has a store stand still while it is sent two parts of a client's body, which take
// the whole memory budget. Another client is told to come again, and can.
func TestBusy(t *testing.T) {
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
			if res, err = http.DefaultClient.Do(req); err == nil {
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
