// Package wire counts what goes over the wire to a store: a reverse proxy that a
// driver takes for the store.
//
//	s3, proxy := wire.S3(t, emulator.Start(t))
//	// give s3 to the driver, let it work
//	t.Log(proxy.Counts())
package wire

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Proxy stands before a store and counts. It changes nothing that a request's
// signature covers.
type Proxy struct {
	// URL is the proxy's own, without a path.
	URL string

	protocol protocol
	stop     func()
	mu       sync.Mutex
	counts   Counts
	around   Interceptor
}

// Interceptor handles a request, which next passes on to the store.
type Interceptor func(w http.ResponseWriter, r *http.Request, next http.Handler)

// protocol is what differs between one store's requests and another's.
type protocol struct {
	operation func(*http.Request) string
	// copied is how many bytes the store will copy for a request. What can't be
	// found out copies nothing: the request is going to fail, too.
	copied func(op string, r *http.Request) int64
	// foreign tells requests that are not to be counted; nil is none.
	foreign func(*http.Request) bool
	// keepHost passes the Host header on, as signatures cover it.
	keepHost bool
	// noExpect sends bodies without waiting for 100 Continue. The SDK asks for that once
	// the store was busy, and Azurite then answers 200 to whatever is carried out.
	noExpect bool
}

// forTest starts a proxy before the store at endpoint, for the time of the test.
func forTest(tb testing.TB, endpoint string, protocol protocol) *Proxy {
	tb.Helper()
	p, err := start(endpoint, protocol)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(p.Close)
	return p
}

// start starts a proxy before the store at endpoint.
func start(endpoint string, protocol protocol) (*Proxy, error) {
	target, err := url.Parse(endpoint)
	if err != nil {
		return nil, err
	}
	p := &Proxy{protocol: protocol, counts: Counts{Ops: make(map[string]int)}}
	transport := &http.Transport{
		MaxIdleConnsPerHost: 64,
		// Azurite, as all of Node.js, closes connections that are idle for 5 s. What has
		// been sent on such a one is lost, and can't be sent again.
		IdleConnTimeout: 2 * time.Second,
		// It would add a header that the client has not signed.
		DisableCompression: true,
		// A body that the server refuses is not sent: the server would close the
		// connection on it, and the answer could get lost.
		ExpectContinueTimeout: 10 * time.Second,
	}
	store := &httputil.ReverseProxy{
		Transport:  transport,
		BufferPool: new(buffers),
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			if protocol.keepHost {
				r.Out.Host = r.In.Host
			}
			if protocol.noExpect {
				r.Out.Header.Del("Expect")
			}
		},
		// A client that gives up is no news; the client tells what matters.
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { p.serve(w, r, store) }))
	p.stop = func() {
		srv.CloseClientConnections()
		srv.Close()
		transport.CloseIdleConnections()
	}
	p.URL = srv.URL
	return p, nil
}

// Close ends the proxy, and the requests under way.
func (p *Proxy) Close() { p.stop() }

func (p *Proxy) serve(w http.ResponseWriter, r *http.Request, store http.Handler) {
	if p.protocol.foreign != nil && p.protocol.foreign(r) {
		store.ServeHTTP(w, r)
		return
	}
	// A store may answer before it has read the last byte of a body. Without this
	// the server here would end the body then, and with it the connection that the
	// rest of the answer is to come by.
	_ = http.NewResponseController(w).EnableFullDuplex() // fails for HTTP/2 alone, which has it
	around := p.count(r)
	body := &counted{ReadCloser: r.Body, proxy: p}
	body.whole.Store(r.ContentLength == 0)
	r.Body = body
	if around == nil {
		around = pass
	}
	a := &answer{ResponseWriter: w, proxy: p, body: body}
	around(a, r, store)
	if !a.hijacked && !body.whole.Load() {
		body.drain(http.NewResponseController(w))
	}
}

func pass(w http.ResponseWriter, r *http.Request, next http.Handler) { next.ServeHTTP(w, r) }

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

// Intercept puts f around the requests that come from now on; nil is nothing.
func (p *Proxy) Intercept(f Interceptor) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.around = f
}

// count counts a request, and returns what stands around it.
func (p *Proxy) count(r *http.Request) Interceptor {
	op := p.protocol.operation(r)
	if strings.HasSuffix(r.URL.Query().Get("prefix"), "/_gc/") {
		op = Tombstones
	}
	copied := p.protocol.copied(op, r)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.counts.Ops[op]++
	p.counts.Copied += copied
	return p.around
}

func (p *Proxy) add(n int, field func(*Counts) *int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	*field(&p.counts) += int64(n)
}

// counted counts a request's body as it is read.
type counted struct {
	io.ReadCloser
	proxy *Proxy
	mu    sync.Mutex  // held while it is read
	whole atomic.Bool // all has been read
	ended bool
}

func (c *counted) Read(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return 0, http.ErrBodyReadAfterClose
	}
	n, err := c.ReadCloser.Read(b)
	c.proxy.add(n, func(c *Counts) *int64 { return &c.Sent })
	c.whole.CompareAndSwap(false, errors.Is(err, io.EOF))
	return n, err
}

// drain takes what a client still sends of a body whose answer is complete, so that
// the answer is not lost in a reset of the connection.
func (c *counted) drain(w *http.ResponseController) {
	_ = w.Flush() // fails when the client is gone
	_ = w.SetReadDeadline(time.Now().Add(time.Second))
	c.mu.Lock() // the transport may be reading
	defer c.mu.Unlock()
	c.ended = true
	_, _ = io.Copy(io.Discard, c.ReadCloser)
}

// answer counts a response as it is written.
type answer struct {
	http.ResponseWriter
	proxy    *Proxy
	body     *counted
	hijacked bool // the caller of Hijack closes the connection
}

// WriteHeader ends the connection where the request's body may not be through yet:
// the server would take the rest of it for the next request, as it does not know
// the body by this type.
func (a *answer) WriteHeader(status int) {
	if status >= http.StatusOK && !a.body.whole.Load() {
		a.Header().Set("Connection", "close")
	}
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) Write(b []byte) (int, error) {
	n, err := a.ResponseWriter.Write(b)
	a.proxy.add(n, func(c *Counts) *int64 { return &c.Received })
	return n, err
}

// Hijack takes the connection over: nothing more is read from it here.
func (a *answer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buf, err := http.NewResponseController(a.ResponseWriter).Hijack()
	a.hijacked = a.hijacked || err == nil
	return conn, buf, err
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
