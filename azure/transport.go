package azure

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/blobdock/blobdock/driver"
)

const (
	tlsTimeout = 10 * time.Second
	// idleConns are kept for the next request: a registry under load has many
	// uploads of several parts each, and a new TLS connection costs more than the
	// round trip of a small request.
	idleConns = 256
	// idleTimeout is below the time after which load balancers close connections.
	idleTimeout = 50 * time.Second
	// continueTimeout is how long the SDK's Expect header, which it sets for a
	// while after the store was busy, holds a body back.
	continueTimeout = time.Second
	// maxErrorBody is more than any of the store's error documents has.
	maxErrorBody = 64 * kib
)

func (c Config) httpTransport() (*http.Transport, error) {
	conf, err := c.tlsConfig()
	if err != nil {
		return nil, err
	}
	dialer := &net.Dialer{Timeout: orDefault(c.DialTimeout, defaultDialTimeout), KeepAlive: 30 * time.Second}
	stall := orDefault(c.StallTimeout, defaultStallTimeout)
	t := &http.Transport{
		Proxy: http.ProxyFromEnvironment,
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := dialer.DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return &stallConn{Conn: conn, limit: stall}, nil
		},
		TLSClientConfig:       conf,
		TLSHandshakeTimeout:   tlsTimeout,
		ExpectContinueTimeout: continueTimeout,
		MaxConnsPerHost:       c.MaxConns,
		MaxIdleConnsPerHost:   idleConns,
		IdleConnTimeout:       min(idleTimeout, stall),
		// Bytes come as they are stored, also where an object is labelled gzip.
		DisableCompression: true,
		// Parts in parallel want a TCP connection each; HTTP/2 would put all on one.
		Protocols: new(http.Protocols),
	}
	t.Protocols.SetHTTP1(true)
	return t, nil
}

func (c Config) tlsConfig() (*tls.Config, error) {
	conf := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: c.SkipVerify}
	if c.CAFile != "" {
		pem, err := os.ReadFile(c.CAFile)
		if err != nil {
			return nil, fmt.Errorf("ca_file: %w: %w", err, driver.Invalid)
		}
		conf.RootCAs = x509.NewCertPool()
		if !conf.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("ca_file %s: no certificate in PEM form: %w", c.CAFile, driver.Invalid)
		}
	}
	return conf, nil
}

func orDefault[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}

// stallConn is given up when it moves no byte for limit. What is bounded is
// standing still: a long transfer that makes progress goes on.
//
// A store that refuses a body may answer and reset the connection before all of
// it was sent. The answer has arrived by then, but a write that fails makes
// net/http drop it. So once part of a request is out, such a failure is kept
// from the writer, and what the reader finds decides.
type stallConn struct {
	net.Conn
	limit time.Duration
	begun atomic.Bool // something was written
}

func (c *stallConn) Read(p []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(c.limit)); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}

func (c *stallConn) Write(p []byte) (int, error) {
	// The reply is awaited from before the body is sent until long after, so what
	// is written puts off the reader's deadline as well.
	if err := c.SetDeadline(time.Now().Add(c.limit)); err != nil {
		return 0, err
	}
	n, err := c.Conn.Write(p)
	if c.begun.Swap(true) && (errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)) {
		return len(p), nil
	}
	return n, err
}

// transport makes exactly one request on the wire: it follows no redirect, and
// its errors don't repeat the URL, the query of which may be a signature.
type transport struct{ *http.Transport }

// Do notes for the call in the request's context how far it got.
func (t transport) Do(req *http.Request) (*http.Response, error) {
	c := callOf(req.Context())
	if c == nil {
		return t.RoundTrip(req)
	}
	trace := &httptrace.ClientTrace{WroteHeaders: func() { c.sent.Store(true) }}
	resp, err := t.RoundTrip(req.WithContext(httptrace.WithClientTrace(req.Context(), trace)))
	if err != nil {
		return nil, err
	}
	c.status, c.header = resp.StatusCode, resp.Header
	if resp.StatusCode >= 300 && resp.Body != nil {
		body, err := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody))
		_ = resp.Body.Close()
		if err != nil && len(body) == 0 {
			return nil, fmt.Errorf("reply with status %d: %w", resp.StatusCode, err)
		}
		c.parse(body)
		resp.Body = bodyOf(body)
	}
	return resp, nil
}

// listFrom is where a listing begins: the SDK has the field for it and leaves it
// out of flat listings. It runs before the request is signed.
type listFrom struct{}

func (listFrom) Do(req *policy.Request) (*http.Response, error) {
	raw := req.Raw()
	if c := callOf(raw.Context()); c != nil && c.startFrom != "" {
		q := raw.URL.Query()
		q.Set("startFrom", c.startFrom)
		raw.URL.RawQuery = q.Encode()
	}
	return req.Next()
}
