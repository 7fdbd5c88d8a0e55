package registry_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/mem"
)

// client is an HTTP client of one protocol, and where its server is.
type client struct {
	*http.Client
	url string
}

// protocols are the ways to serve h.
var protocols = map[string]func(t *testing.T, h http.Handler) client{
	"HTTP/1": func(t *testing.T, h http.Handler) client {
		srv := httptest.NewServer(h)
		t.Cleanup(srv.Close)
		return client{srv.Client(), srv.URL}
	},
	"HTTP/1 with TLS": func(t *testing.T, h http.Handler) client {
		srv := httptest.NewTLSServer(h)
		t.Cleanup(srv.Close)
		return client{srv.Client(), srv.URL}
	},
	"HTTP/2": func(t *testing.T, h http.Handler) client {
		srv := httptest.NewUnstartedServer(h)
		srv.EnableHTTP2 = true
		srv.StartTLS()
		t.Cleanup(srv.Close)
		return client{srv.Client(), srv.URL}
	},
	"h2c": func(t *testing.T, h http.Handler) client {
		var p http.Protocols
		p.SetUnencryptedHTTP2(true)
		srv := httptest.NewUnstartedServer(h)
		srv.Config.Protocols = &p
		srv.Start()
		tr := &http.Transport{Protocols: &p}
		t.Cleanup(func() { tr.CloseIdleConnections(); srv.Close() })
		return client{&http.Client{Transport: tr}, srv.URL}
	},
}

// at is a path, or the address of another replica, at this server.
func (c client) at(url string) string { return c.url + "/v2/" + strings.SplitN(url, "/v2/", 2)[1] }

// send sends a request whose body is p and then nothing until the answer is there. length
// is what is announced, -1 for nothing.
func (c client) send(t *testing.T, method, url string, length int64, header map[string]string, p []byte, rest io.Reader) (*http.Response, string) {
	t.Helper()
	stalled, end := io.Pipe()
	if rest == nil {
		rest = stalled
	}
	req, err := http.NewRequestWithContext(t.Context(), method, c.at(url), io.MultiReader(bytes.NewReader(p), rest))
	if err != nil {
		t.Fatal(err)
	}
	req.ContentLength = length
	for k, v := range header {
		req.Header.Set(k, v)
	}
	return c.answer(t, req, end)
}

func (c client) do(t *testing.T, method, url string, p []byte) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, c.at(url), bytes.NewReader(p))
	if err != nil {
		t.Fatal(err)
	}
	return c.answer(t, req, http.NoBody)
}

// answer sends req, and closes its end when the answer is there: in HTTP/2 a client waits
// for its own body to end.
func (c client) answer(t *testing.T, req *http.Request, end io.Closer) (*http.Response, string) {
	t.Helper()
	defer end.Close()
	res, err := c.Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v", req.Method, req.URL, err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	_ = end.Close()
	if err != nil {
		t.Fatalf("%s %s: %v", req.Method, req.URL, err)
	}
	return res, string(b)
}

func (c client) begin(t *testing.T) string {
	t.Helper()
	res, body := c.do(t, http.MethodPost, "/v2/a/blobs/uploads/", nil)
	if res.StatusCode != http.StatusAccepted {
		t.Fatalf("POST: %s: %s", res.Status, body)
	}
	return res.Header.Get("Location")
}

// finish finishes an upload of p, of which the registry has so many bytes.
func (c client) finish(t *testing.T, at string, p []byte, has int) {
	t.Helper()
	res, body := c.do(t, http.MethodGet, at, nil)
	if want := fmt.Sprintf("0-%d", max(has-1, 0)); res.StatusCode != http.StatusNoContent || res.Header.Get("Range") != want {
		t.Fatalf("status: %s with %q, want %q: %s", res.Status, res.Header.Get("Range"), want, body)
	}
	d := digest.FromBytes(p)
	if res, body := c.do(t, http.MethodPut, withDigest(res.Header.Get("Location"), d), p[has:]); res.StatusCode != http.StatusCreated {
		t.Fatalf("PUT: %s: %s", res.Status, body)
	}
	if res, got := c.do(t, http.MethodGet, "/v2/a/blobs/"+d.String(), nil); res.StatusCode != http.StatusOK || got != string(p) {
		t.Errorf("GET: %s with %d bytes", res.Status, len(got))
	}
}

// wantTimeout checks that an answer is 408, as registries tell errors.
func wantTimeout(t *testing.T, res *http.Response, body string) {
	t.Helper()
	var e struct {
		Errors []struct{ Code, Message string }
	}
	if err := json.Unmarshal([]byte(body), &e); err != nil || res.StatusCode != http.StatusRequestTimeout ||
		len(e.Errors) != 1 || e.Errors[0].Code != "REQUEST_TIMEOUT" || e.Errors[0].Message == "" {
		t.Errorf("got %s: %q (%v), want 408", res.Status, body, err)
	}
	if got := res.Header.Get("Location") + res.Header.Get("Range") + res.Header.Get("Docker-Upload-UUID"); got != "" {
		t.Errorf("408 tells %q", got)
	}
	if res.ProtoMajor == 1 && !res.Close {
		t.Error("the connection stays open")
	}
}

// quick are options whose limits are reached soon.
const quick = "body_timeout=1s"

// TestStalledBody has clients send a part of a body and then nothing, at every place where
// a body comes. Each is answered 408 and finishes from what the registry has.
func TestStalledBody(t *testing.T) {
	t.Parallel()
	p := content(300 << 10)
	d := digest.FromBytes(p)
	for name, protocol := range protocols {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := mem.NewWith(mem.Imitations()["minio"])
			c, replica := protocol(t, handler(t, b, quick)), protocol(t, handler(t, b, ""))
			for _, sent := range []int{0, 100 << 10} {
				for _, length := range []int64{-1, int64(len(p))} {
					t.Run(fmt.Sprintf("PATCH after %d of %d", sent, length), func(t *testing.T) {
						t.Parallel()
						at := c.begin(t)
						res, body := c.send(t, http.MethodPatch, at, length, nil, p[:sent], nil)
						wantTimeout(t, res, body)
						replica.finish(t, at, p, sent)
					})
					t.Run(fmt.Sprintf("PUT after %d of %d", sent, length), func(t *testing.T) {
						t.Parallel()
						at := c.begin(t)
						res, body := c.send(t, http.MethodPut, withDigest(at, d), length, nil, p[:sent], nil)
						wantTimeout(t, res, body)
						replica.finish(t, at, p, sent)
					})
				}
			}
			t.Run("PATCH after other bytes", func(t *testing.T) {
				t.Parallel()
				at := c.begin(t)
				res, body := c.do(t, http.MethodPatch, at, p[:1000])
				if res.StatusCode != http.StatusAccepted {
					t.Fatalf("PATCH: %s: %s", res.Status, body)
				}
				at = res.Header.Get("Location")
				res, body = c.send(t, http.MethodPatch, at, -1, nil, p[1000:5000], nil)
				wantTimeout(t, res, body)
				replica.finish(t, at, p, 5000)
			})
			t.Run("large PATCH", func(t *testing.T) {
				t.Parallel()
				p := content(20 << 20)
				at := c.begin(t)
				res, body := c.send(t, http.MethodPatch, at, -1, nil, p[:19<<20], nil)
				wantTimeout(t, res, body)
				replica.finish(t, at, p, 19<<20)
			})
			t.Run("PUT to the digest's key", func(t *testing.T) {
				t.Parallel()
				p := content(21 << 20)
				at := c.begin(t)
				res, body := c.send(t, http.MethodPut, withDigest(at, digest.FromBytes(p)), int64(len(p)), nil, p[:20<<20], nil)
				wantTimeout(t, res, body)
				replica.finish(t, at, p, 0)
			})
			t.Run("PUT of content that is there", func(t *testing.T) {
				t.Parallel()
				p := content(10 << 20)
				replica.finish(t, replica.begin(t), p, 0)
				at := c.begin(t)
				res, body := c.send(t, http.MethodPut, withDigest(at, digest.FromBytes(p)), int64(len(p)), nil, p[:9<<20], nil)
				wantTimeout(t, res, body)
				replica.finish(t, at, p, 0)
			})
			t.Run("manifest", func(t *testing.T) {
				t.Parallel()
				res, body := c.send(t, http.MethodPut, "/v2/a/manifests/latest", 1000, map[string]string{"Content-Type": "application/vnd.oci.image.manifest.v1+json"}, []byte("{"), nil)
				wantTimeout(t, res, body)
			})
			t.Run("POST of a form", func(t *testing.T) {
				t.Parallel()
				res, body := c.send(t, http.MethodPost, "/v2/a/blobs/uploads/", 1000, map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, []byte("from="), nil)
				wantTimeout(t, res, body)
			})
			// Distribution does not read the body of a POST, and the client is to begin.
			t.Run("POST of a blob", func(t *testing.T) {
				t.Parallel()
				res, body := c.send(t, http.MethodPost, "/v2/a/blobs/uploads/?digest="+d.String(), int64(len(p)), nil, p[:1000], nil)
				if res.StatusCode != http.StatusAccepted {
					t.Fatalf("POST: %s: %s", res.Status, body)
				}
				replica.finish(t, res.Header.Get("Location"), p, 0)
			})
		})
	}
}

// dribble brings a byte now and then.
type dribble struct{ p []byte }

func (d *dribble) Read(p []byte) (int, error) {
	time.Sleep(20 * time.Millisecond)
	n := copy(p, d.p[:min(1, len(d.p))])
	d.p = d.p[n:]
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

// TestTricklingBody has clients send a byte now and then. What came is kept.
func TestTricklingBody(t *testing.T) {
	t.Parallel()
	p := content(100 << 10)
	for name, protocol := range protocols {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := protocol(t, handler(t, mem.New(), quick+"&body_min_rate=100KiB"))
			at := c.begin(t)
			res, body := c.send(t, http.MethodPatch, at, -1, nil, nil, &dribble{p})
			wantTimeout(t, res, body)
			res, body = c.do(t, http.MethodGet, at, nil)
			var has int
			if _, err := fmt.Sscanf(res.Header.Get("Range"), "0-%d", &has); err != nil || has == 0 {
				t.Fatalf("status: %s with %q: %s", res.Status, res.Header.Get("Range"), body)
			}
			c.finish(t, at, p, has+1)
		})
	}
}

// TestSlowStoreIsNoTimeout has the store take longer than the client may.
func TestSlowStoreIsNoTimeout(t *testing.T) {
	t.Parallel()
	slow := driver.Wrap(mem.New(), func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
		if c.Body != nil {
			time.Sleep(3 * time.Second)
		}
		return next(ctx)
	})
	for name, protocol := range protocols {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := protocol(t, handler(t, slow, "body_timeout=2s&memory_budget=16MiB"))
			p := content(20 << 20) // the body waits for memory, which waits for the store
			at := c.begin(t)
			res, body := c.send(t, http.MethodPatch, at, -1, nil, p, strings.NewReader(""))
			if res.StatusCode != http.StatusAccepted {
				t.Fatalf("PATCH: %s: %s", res.Status, body)
			}
			c.finish(t, res.Header.Get("Location"), p, len(p))
		})
	}
}

// TestStalledBodiesLeaveNothing counts goroutines.
func TestStalledBodiesLeaveNothing(t *testing.T) {
	h := handler(t, mem.New(), "body_timeout=100ms")
	for name, protocol := range protocols {
		t.Run(name, func(t *testing.T) {
			var before int
			t.Run("", func(t *testing.T) {
				c := protocol(t, h)
				at := c.begin(t)
				before = runtime.NumGoroutine()
				for range 20 {
					res, body := c.send(t, http.MethodPatch, at, -1, nil, content(1000), nil)
					wantTimeout(t, res, body)
				}
			})
			for range 100 {
				if runtime.NumGoroutine() <= before {
					return
				}
				time.Sleep(50 * time.Millisecond)
			}
			stacks := make([]byte, 1<<20)
			t.Errorf("%d goroutines, had %d:\n%s", runtime.NumGoroutine(), before, stacks[:runtime.Stack(stacks, true)])
		})
	}
}
