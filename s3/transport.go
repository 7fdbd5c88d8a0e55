package s3

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

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"

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
	// maxErrorBody is more than any store's error document has.
	maxErrorBody = 64 * kib
)

// httpClient is the client that the SDK configures further: with AWS_CA_BUNDLE
// set it refuses any other type.
func (c Config) httpClient() (*awshttp.BuildableClient, error) {
	conf, err := c.tlsConfig()
	if err != nil {
		return nil, err
	}
	dialer := &net.Dialer{Timeout: orDefault(c.DialTimeout, defaultDialTimeout), KeepAlive: 30 * time.Second}
	stall := orDefault(c.StallTimeout, defaultStallTimeout)
	return awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
		t.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := dialer.DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return &stallConn{Conn: conn, limit: stall}, nil
		}
		t.TLSClientConfig = conf
		t.TLSHandshakeTimeout = tlsTimeout
		t.MaxConnsPerHost = c.MaxConns
		t.MaxIdleConns = 0
		t.MaxIdleConnsPerHost = idleConns
		t.IdleConnTimeout = min(idleTimeout, stall)
		// Bytes come as they are stored, also where an object is labelled gzip.
		t.DisableCompression = true
		// Parts in parallel want a TCP connection each; HTTP/2 would put all on one.
		t.ForceAttemptHTTP2 = false
		t.Protocols = new(http.Protocols)
		t.Protocols.SetHTTP1(true)
	}), nil
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
	if c.CertFile != "" {
		cert, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("cert_file and key_file: %w: %w", err, driver.Invalid)
		}
		conf.Certificates = []tls.Certificate{cert}
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
	c, ok := req.Context().Value(callKey{}).(*call)
	if !ok {
		return t.RoundTrip(req)
	}
	trace := &httptrace.ClientTrace{WroteHeaders: func() { c.sent.Store(true) }}
	resp, err := t.RoundTrip(req.WithContext(httptrace.WithClientTrace(req.Context(), trace)))
	if err != nil {
		return nil, err
	}
	c.status, c.header = resp.StatusCode, resp.Header
	if resp.StatusCode >= 300 && resp.Body != nil {
		// The SDK keeps only part of what an error document tells.
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
