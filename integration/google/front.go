package google

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strconv"
	"time"
)

// hosts are those that Cloud Storage's clients talk to: both APIs' own, and that of
// uploads by distribution's driver.
var hosts = []string{"storage.googleapis.com", uploadHost}

const uploadHost = "www.googleapis.com"

// Front is a forward proxy that answers for Google's hosts, and for no others: what
// comes for them goes to a server that speaks Cloud Storage's APIs. Programs get to it
// by the proxy in their environment, and trust its certificate, so that they work as
// they do with Google.
type Front struct {
	addr        string
	certificate *certificate
}

// Start starts a front before the server at endpoint, until ctx ends. The file of its
// certificate is made in dir.
func Start(ctx context.Context, endpoint, dir string) (*Front, error) {
	target, err := url.Parse(endpoint)
	if err != nil {
		return nil, err
	}
	cert, err := newCertificate(dir, hosts)
	if err != nil {
		return nil, err
	}
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	conns := &tunnels{addr: ln.Addr(), conns: make(chan net.Conn), closed: make(chan struct{})}
	silent := log.New(io.Discard, "", 0) // clients that are killed are no news
	transport := &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true}
	proxy := &http.Server{Handler: conns, ReadHeaderTimeout: 10 * time.Second, ErrorLog: silent}
	store := &http.Server{
		Handler: passOn(target, transport), ReadHeaderTimeout: 10 * time.Second, ErrorLog: silent,
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{cert.pair}, MinVersion: tls.VersionTLS12},
	}
	go func() { _ = proxy.Serve(ln) }()
	go func() { _ = store.ServeTLS(conns, "", "") }()
	context.AfterFunc(ctx, func() {
		_ = proxy.Close()
		_ = store.Close()
		transport.CloseIdleConnections()
	})
	return &Front{ln.Addr().String(), cert}, nil
}

// Proxy is what HTTPS_PROXY is to be for a program that is led to the front.
func (f *Front) Proxy() string { return "http://" + f.addr }

// CAFile is the file of the certificate that the program is to trust.
func (f *Front) CAFile() string { return f.certificate.file }

// Stock leads distribution's registry, as bench/stock has it, to the front.
func (f *Front) Stock() (env []string) {
	return []string{"HTTPS_PROXY=" + f.Proxy(), "STOCK_CA_FILE=" + f.CAFile()}
}

// Lead leads a client to the front.
func (f *Front) Lead(t *http.Transport) {
	t.Proxy = func(r *http.Request) (*url.URL, error) {
		if r.URL.Scheme == "https" {
			return &url.URL{Scheme: "http", Host: f.addr}, nil
		}
		return nil, nil //nolint:nilnil // straight
	}
	roots := x509.NewCertPool()
	roots.AddCert(f.certificate.pair.Leaf)
	t.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
}

// passOn passes requests on to the server.
func passOn(target *url.URL, transport http.RoundTripper) http.Handler {
	return &httputil.ReverseProxy{
		Transport: transport,
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(target) },
		// An upload goes on where it began, and not around the front.
		ModifyResponse: func(res *http.Response) error {
			at, err := res.Location()
			if errors.Is(err, http.ErrNoLocation) {
				return nil
			}
			if err != nil {
				return err
			}
			at.Scheme, at.Host = "https", uploadHost
			res.Header.Set("Location", at.String())
			return nil
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}
}

// tunnels takes connections over from requests with CONNECT, and is where the server
// behind gets them from.
type tunnels struct {
	addr   net.Addr
	conns  chan net.Conn
	closed chan struct{}
}

func (t *tunnels) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if host, port, err := net.SplitHostPort(r.Host); r.Method != http.MethodConnect || err != nil ||
		!slices.Contains(hosts, host) || port != strconv.Itoa(443) {
		http.Error(w, "not one of Google's hosts: "+r.Host, http.StatusForbidden)
		return
	}
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	_, err = io.WriteString(conn, "HTTP/1.1 200 Connection Established\r\n\r\n")
	if err == nil {
		select {
		case t.conns <- conn:
			return
		case <-t.closed:
		}
	}
	_ = conn.Close()
}

// Accept is net.Listener's.
func (t *tunnels) Accept() (net.Conn, error) {
	select {
	case conn := <-t.conns:
		return conn, nil
	case <-t.closed:
		return nil, net.ErrClosed
	}
}

// Close is net.Listener's. The server calls it once.
func (t *tunnels) Close() error {
	close(t.closed)
	return nil
}

// Addr is net.Listener's.
func (t *tunnels) Addr() net.Addr { return t.addr }
