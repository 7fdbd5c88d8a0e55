package registry_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/mem"
	"github.com/blobdock/blobdock/registry"
)

// wire is an HTTP/1 connection.
type wire struct {
	t    *testing.T
	conn net.Conn
	r    *bufio.Reader
}

func dial(t *testing.T, h http.Handler) *wire {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.CloseClientConnections)
	t.Cleanup(srv.Close)
	conn, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	return &wire{t, conn, bufio.NewReader(conn)}
}

// send sends a request's beginning; header ends with its lines.
func (w *wire) send(method, url, header, body string) {
	w.t.Helper()
	url = "/" + strings.SplitN(strings.TrimPrefix(url, "http://"), "/", 2)[1]
	if _, err := fmt.Fprintf(w.conn, "%s %s HTTP/1.1\r\nHost: registry\r\n%s\r\n%s", method, url, header, body); err != nil {
		w.t.Fatal(err)
	}
}

func (w *wire) receive(method string) (*http.Response, string) {
	w.t.Helper()
	res, err := http.ReadResponse(w.r, &http.Request{Method: method})
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return res, string(b)
}

// wantClosed checks that the server has closed the connection.
func (w *wire) wantClosed() {
	w.t.Helper()
	if b, err := w.r.ReadByte(); err == nil {
		w.t.Errorf("got byte %q on a connection that is to be closed", b)
	} else if ne, ok := err.(net.Error); ok && ne.Timeout() {
		w.t.Error("the connection stays open")
	}
}

// begin begins an upload on the same connection.
func (w *wire) begin() string {
	w.t.Helper()
	w.send(http.MethodPost, "/v2/a/blobs/uploads/", "Content-Length: 0\r\n", "")
	res, body := w.receive(http.MethodPost)
	if res.StatusCode != http.StatusAccepted {
		w.t.Fatalf("POST: %s: %s", res.Status, body)
	}
	return res.Header.Get("Location")
}

const octets = "Content-Type: application/octet-stream\r\n"

// TestStalledWire stalls where HTTP/1 has a state of its own.
func TestStalledWire(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, header, body string
		keeps              int
	}{
		{"in a chunk", "Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n10\r\n wo", 8},
		{"before a chunk", "Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n", 5},
		{"in a chunk's size", "Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n1", 5},
		{"before the last chunk's end", "Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n", 5},
		{"before the first chunk", "Transfer-Encoding: chunked\r\n", "", 0},
		{"after 100 Continue", "Expect: 100-continue\r\nContent-Length: 10\r\n", "", 0},
		{"after 100 Continue and bytes", "Expect: 100-continue\r\nContent-Length: 10\r\n", "hello", 5},
		{"the last request of its connection", "Connection: close\r\nContent-Length: 10\r\n", "hello", 5},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := handler(t, mem.New(), quick)
			w := dial(t, h)
			at := w.begin()
			w.send(http.MethodPatch, at, octets+tt.header, tt.body)
			res, body := w.receive(http.MethodPatch)
			if res.StatusCode == http.StatusContinue {
				res, body = w.receive(http.MethodPatch)
			}
			wantTimeout(t, res, body)
			w.wantClosed()
			protocols["HTTP/1"](t, h).finish(t, at, []byte("hello world!"), tt.keeps)
		})
	}
}

// TestTricklingWire trickles on after the answer: the connection is closed all the same.
func TestTricklingWire(t *testing.T) {
	w := dial(t, handler(t, mem.New(), quick+"&body_min_rate=100KiB"))
	w.send(http.MethodPatch, w.begin(), octets+"Content-Length: 100000\r\n", "")
	over := make(chan struct{})
	go func() {
		defer close(over)
		for {
			if _, err := w.conn.Write([]byte("x")); err != nil {
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
	}()
	res, body := w.receive(http.MethodPatch)
	wantTimeout(t, res, body)
	select {
	case <-over:
	case <-time.After(30 * time.Second):
		t.Error("the connection stays open")
	}
}

// TestKeptConnection uses a connection again after bodies, and rests longer than a body
// may: no deadline is left on it.
func TestKeptConnection(t *testing.T) {
	t.Parallel()
	slow := driver.Wrap(mem.New(), func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
		if c.Body != nil {
			select {
			case <-time.After(time.Second):
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return next(ctx)
	})
	w := dial(t, handler(t, slow, "body_timeout=300ms"))
	at := w.begin()
	for i, header := range []string{"Content-Length: 5\r\n\r\nhello", "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"} {
		head, body, _ := strings.Cut(header, "\r\n\r\n")
		w.send(http.MethodPatch, at, octets+head+"\r\n", body)
		res, msg := w.receive(http.MethodPatch)
		if res.StatusCode != http.StatusAccepted {
			t.Fatalf("PATCH: %s: %s", res.Status, msg)
		}
		at = res.Header.Get("Location")
		if i == 0 {
			time.Sleep(time.Second)
		}
	}
	// Refused before the body is read, which the server reads behind the answer.
	w.send(http.MethodPut, at, "Content-Length: 5\r\n", "hello")
	if res, _ := w.receive(http.MethodPut); res.StatusCode != http.StatusBadRequest || res.Close {
		t.Errorf("PUT without digest: %s, closes %t", res.Status, res.Close)
	}
	time.Sleep(time.Second)
	w.send(http.MethodPut, withDigest(at, digest.FromString("hellohello")), "Content-Length: 0\r\n", "")
	if res, msg := w.receive(http.MethodPut); res.StatusCode != http.StatusCreated {
		t.Errorf("PUT: %s: %s", res.Status, msg)
	}
}

// TestAnswerBeforeBody has clients stall in bodies that the handler does not read: they get
// its answer, and the server does not wait for ever.
func TestAnswerBeforeBody(t *testing.T) {
	for _, tt := range []struct {
		name, method, path, header, body string
		status                           int
	}{
		{"no digest", http.MethodPut, "", "Content-Length: 10\r\n", "hello", http.StatusBadRequest},
		{"no digest, chunked", http.MethodPut, "", "Transfer-Encoding: chunked\r\n", "5\r\nhel", http.StatusBadRequest},
		{"much to come", http.MethodPut, "", "Content-Length: 1000000000\r\n", "hello", http.StatusBadRequest},
		{"not asked to continue", http.MethodPut, "", "Expect: 100-continue\r\nContent-Length: 10\r\n", "", http.StatusBadRequest},
		{"of a GET", http.MethodGet, "/v2/", "Content-Length: 10\r\n", "hello", http.StatusOK},
		{"a name that is too long", http.MethodPut, "/v2/" + strings.Repeat("a", 300) + "/manifests/x", "Content-Length: 10\r\n", "hello", http.StatusBadRequest},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := dial(t, handler(t, mem.New(), quick))
			at := tt.path
			if at == "" {
				at = w.begin()
			}
			w.send(tt.method, at, octets+tt.header, tt.body)
			res, body := w.receive(tt.method)
			if res.StatusCode != tt.status {
				t.Errorf("got %s: %s, want %d", res.Status, body, tt.status)
			}
			w.wantClosed()
		})
	}
}

// TestBodyBeyondHandler has handlers do what distribution's do not.
func TestBodyBeyondHandler(t *testing.T) {
	t.Parallel()
	within := func(t *testing.T, timeout string, h http.HandlerFunc) *wire {
		config := &configuration.Configuration{Storage: configuration.Storage{"blobdock": {"url": "given://b?body_min_rate=0&body_timeout=" + timeout}}}
		return dial(t, registry.Handler(config, h))
	}
	serve := func(t *testing.T, h http.HandlerFunc) *wire { return within(t, "300ms", h) }
	t.Run("panics", func(t *testing.T) {
		w := serve(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
		w.send(http.MethodPut, "/", "Content-Length: 10\r\n", "hello")
		w.wantClosed()
	})
	t.Run("says nothing", func(t *testing.T) {
		w := serve(t, func(http.ResponseWriter, *http.Request) {})
		w.send(http.MethodPut, "/", "Content-Length: 10\r\n", "hello")
		if res, body := w.receive(http.MethodPut); res.StatusCode != http.StatusOK {
			t.Errorf("got %s: %s", res.Status, body)
		}
		w.wantClosed()
	})
	t.Run("says nothing after a timeout", func(t *testing.T) {
		w := serve(t, func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) })
		w.send(http.MethodPut, "/", "Content-Length: 10\r\n", "hello")
		res, body := w.receive(http.MethodPut)
		wantTimeout(t, res, body)
		w.wantClosed()
	})
	t.Run("closes the body", func(t *testing.T) {
		w := serve(t, func(_ http.ResponseWriter, r *http.Request) { _ = r.Body.Close() })
		w.send(http.MethodPut, "/", "Content-Length: 10\r\n", "hello")
		res, body := w.receive(http.MethodPut)
		wantTimeout(t, res, body)
		w.wantClosed()
	})
	t.Run("reads behind its answer", func(t *testing.T) {
		got := make(chan string, 1)
		w := within(t, "1500ms", func(w http.ResponseWriter, r *http.Request) {
			_ = http.NewResponseController(w).EnableFullDuplex()
			w.WriteHeader(http.StatusAccepted)
			_ = http.NewResponseController(w).Flush()
			time.Sleep(2 * time.Second)
			p, err := io.ReadAll(r.Body)
			got <- fmt.Sprintf("%s %v", p, err)
		})
		w.send(http.MethodPut, "/", "Content-Length: 10\r\n", "")
		for _, c := range "helloworld" { // longer than a timeout in all
			time.Sleep(200 * time.Millisecond)
			if _, err := w.conn.Write([]byte(string(c))); err != nil {
				t.Fatal(err)
			}
		}
		if got := <-got; got != "helloworld <nil>" {
			t.Errorf("got %s", got)
		}
		if res, _ := w.receive(http.MethodPut); res.StatusCode != http.StatusAccepted {
			t.Errorf("got %s", res.Status)
		}
	})
	for _, reads := range []bool{false, true} {
		t.Run(fmt.Sprintf("streams for long behind a body, read %t", reads), func(t *testing.T) {
			w := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if reads {
					_, _ = io.Copy(io.Discard, r.Body)
				}
				for range 10 {
					_, _ = w.Write(content(4 << 10))
					select {
					case <-r.Context().Done():
						return
					case <-time.After(100 * time.Millisecond):
					}
				}
			})
			w.send(http.MethodGet, "/", "Content-Length: 5\r\n", "hello")
			if res, body := w.receive(http.MethodGet); res.StatusCode != http.StatusOK || len(body) != 40<<10 {
				t.Errorf("got %s with %d bytes", res.Status, len(body))
			}
		})
	}
	t.Run("hijacks", func(t *testing.T) {
		w := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			conn, rw, err := w.(http.Hijacker).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			go func() { // the handler is done, the connection is not
				defer conn.Close()
				line, err := rw.ReadString('\n')
				_, _ = fmt.Fprintf(conn, "%q %v", line, err)
			}()
		})
		w.send(http.MethodPut, "/", "Content-Length: 6\r\n", "")
		time.Sleep(time.Second)
		_, _ = w.conn.Write([]byte("hello\n"))
		if got, _ := io.ReadAll(w.r); string(got) != `"hello\n" <nil>` {
			t.Errorf("got %q", got)
		}
	})
	t.Run("another storage driver", func(t *testing.T) {
		other := &configuration.Configuration{Storage: configuration.Storage{"inmemory": {}}}
		w := dial(t, registry.Handler(other, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) })))
		w.send(http.MethodPut, "/", "Content-Length: 5\r\n", "")
		time.Sleep(100 * time.Millisecond)
		_, _ = w.conn.Write([]byte("hello"))
		if res, body := w.receive(http.MethodPut); res.StatusCode != http.StatusOK {
			t.Errorf("got %s: %s", res.Status, body)
		}
	})
}
