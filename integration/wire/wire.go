// Package wire counts what goes over the wire to an S3 server: a reverse proxy
// that a driver takes for the server.
//
//	p := wire.New(t, emulator.Start(t))
//	// give p.S3 to the driver, let it work
//	t.Log(p.Counts())
package wire

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/blobdock/blobdock/integration/emulator"
)

// Proxy stands before an S3 server and counts. It changes no request: the
// signature covers the Host header, so that one goes on as it came.
type Proxy struct {
	// S3 is the server as seen through the proxy.
	S3 emulator.S3

	behind emulator.S3
	mu     sync.Mutex
	counts Counts
}

// New starts a proxy before s, for the time of the test.
func New(tb testing.TB, s emulator.S3) *Proxy {
	tb.Helper()
	target, err := url.Parse(s.Endpoint)
	if err != nil {
		tb.Fatal(err)
	}
	p := &Proxy{S3: s, behind: s, counts: Counts{Ops: make(map[string]int)}}
	transport := &http.Transport{
		MaxIdleConnsPerHost: 64,
		// It would add a header that the client has not signed.
		DisableCompression: true,
		// A body that the server refuses is not sent: the server would close the
		// connection on it, and the answer could get lost.
		ExpectContinueTimeout: 10 * time.Second,
	}
	reverse := &httputil.ReverseProxy{
		Transport:  transport,
		BufferPool: new(buffers),
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host
		},
		// A client that gives up is no news; the client tells what matters.
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.count(r)
		r.Body = &counted{r.Body, p, func(c *Counts) *int64 { return &c.Sent }}
		reverse.ServeHTTP(&answer{w, p}, r)
	}))
	tb.Cleanup(func() {
		srv.CloseClientConnections()
		srv.Close()
		transport.CloseIdleConnections()
	})
	p.S3.Endpoint = srv.URL
	return p
}

// Counts is what has gone through since the last Reset.
func (p *Proxy) Counts() Counts {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.counts.clone()
}

// Reset starts counting anew.
func (p *Proxy) Reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.counts = Counts{Ops: make(map[string]int)}
}

func (p *Proxy) count(r *http.Request) {
	op := Operation(r)
	copied := p.copied(r.Context(), op, r.Header)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.counts.Ops[op]++
	p.counts.Copied += copied
}

func (p *Proxy) add(n int, field func(*Counts) *int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	*field(&p.counts) += int64(n)
}

// copied is how many bytes the server will copy for a request. What can't be
// found out copies nothing: the request is going to fail, too.
func (p *Proxy) copied(ctx context.Context, op string, h http.Header) int64 {
	switch op {
	case "UploadPartCopy":
		if first, last, ok := parseRange(h.Get("X-Amz-Copy-Source-Range")); ok {
			return last - first + 1
		}
	case "CopyObject":
	default:
		return 0
	}
	size, err := head(ctx, p.behind, h.Get("X-Amz-Copy-Source"))
	if err != nil {
		return 0
	}
	return size
}

// counted counts a body as it is read.
type counted struct {
	io.ReadCloser
	proxy *Proxy
	field func(*Counts) *int64
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.ReadCloser.Read(b)
	c.proxy.add(n, c.field)
	return n, err
}

// answer counts a response as it is written.
type answer struct {
	http.ResponseWriter
	proxy *Proxy
}

func (a *answer) Write(b []byte) (int, error) {
	n, err := a.ResponseWriter.Write(b)
	a.proxy.add(n, func(c *Counts) *int64 { return &c.Received })
	return n, err
}

// Unwrap is for http.ResponseController, which the reverse proxy flushes with.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// buffers hands copy buffers on from request to request.
type buffers struct{ pool sync.Pool }

func (b *buffers) Get() []byte {
	if p, ok := b.pool.Get().(*[]byte); ok {
		return *p
	}
	return make([]byte, 64<<10)
}

func (b *buffers) Put(p []byte) { b.pool.Put(&p) }
