package cloud

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/blobdock/blobdock/driver"
)

const (
	tlsTimeout = 10 * time.Second
	// continueTimeout is how long a body is held back by an Expect header to which
	// nothing is said.
	continueTimeout = time.Second
)

// NewTransport makes the transport for n.
func NewTransport(n driver.Network) (*http.Transport, error) {
	configure, err := Configure(n)
	if err != nil {
		return nil, err
	}
	t := &http.Transport{Proxy: http.ProxyFromEnvironment, ExpectContinueTimeout: continueTimeout}
	configure(t)
	return t, nil
}

// Configure is NewTransport for SDKs that make the transport themselves.
func Configure(n driver.Network) (func(*http.Transport), error) {
	conf, err := tlsConfig(n)
	if err != nil {
		return nil, err
	}
	dialer := &net.Dialer{Timeout: cmp.Or(n.DialTimeout, driver.DefaultDialTimeout), KeepAlive: 30 * time.Second}
	stall := cmp.Or(n.StallTimeout, driver.DefaultStallTimeout)
	return func(t *http.Transport) {
		t.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := dialer.DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return &stallConn{Conn: conn, limit: stall}, nil
		}
		t.TLSClientConfig = conf.Clone()
		t.TLSHandshakeTimeout = tlsTimeout
		t.MaxConnsPerHost = n.MaxConns
		t.MaxIdleConns = 0
		t.MaxIdleConnsPerHost = cmp.Or(n.IdleConns, driver.DefaultIdleConns)
		t.IdleConnTimeout = min(cmp.Or(n.IdleTimeout, driver.DefaultIdleTimeout), stall)
		// Bytes come as they are stored, also where an object is labelled gzip.
		t.DisableCompression = true
		// Parts in parallel want a TCP connection each; HTTP/2 would put all on one.
		t.ForceAttemptHTTP2 = false
		t.Protocols = new(http.Protocols)
		t.Protocols.SetHTTP1(true)
	}, nil
}

// KeyPair is tls.LoadX509KeyPair of files that may begin with a byte order mark.
func KeyPair(certFile, keyFile string) (tls.Certificate, error) {
	cert, err := ReadPEM(certFile)
	if err != nil {
		return tls.Certificate{}, err
	}
	key, err := ReadPEM(keyFile)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.X509KeyPair(cert, key)
}

// ReadPEM reads a file in PEM form, whose reader does not know byte order marks.
func ReadPEM(path string) ([]byte, error) {
	text, err := os.ReadFile(path)
	return []byte(driver.TrimSecret(string(text))), err
}

func tlsConfig(n driver.Network) (*tls.Config, error) {
	conf := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: n.SkipVerify}
	if n.ClientCertFile != "" {
		own, err := KeyPair(n.ClientCertFile, n.ClientKeyFile)
		if err != nil {
			return nil, fmt.Errorf("client_cert_file and client_key_file: %w: %w", err, driver.Invalid)
		}
		conf.Certificates = []tls.Certificate{own}
	}
	if n.CAFile == "" {
		return conf, nil
	}
	pem, err := ReadPEM(n.CAFile)
	if err != nil {
		return nil, fmt.Errorf("ca_file: %w: %w", err, driver.Invalid)
	}
	conf.RootCAs = x509.NewCertPool()
	if !conf.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("ca_file %s: no certificate in PEM form: %w", n.CAFile, driver.Invalid)
	}
	return conf, nil
}
