package cloud

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/blobdock/blobdock/driver"
)

// clientCertificate writes a certificate and its key, and returns their files.
func clientCertificate(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	text, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, kind string, data []byte) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: data}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	return write("cert.pem", "CERTIFICATE", der), write("key.pem", "PRIVATE KEY", text)
}

// TestClientCertificate reaches a server that asks for one, and not without it.
func TestClientCertificate(t *testing.T) {
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	srv.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
	srv.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)
	srv.StartTLS()
	t.Cleanup(srv.Close)
	get := func(n driver.Network) error {
		n.SkipVerify = true
		tr, err := NewTransport(n)
		if err != nil {
			return err
		}
		defer tr.CloseIdleConnections()
		resp, err := (&http.Client{Transport: tr}).Get(srv.URL)
		if err != nil {
			return err
		}
		return resp.Body.Close()
	}
	cert, key := clientCertificate(t)
	if err := get(driver.Network{ClientCertFile: cert, ClientKeyFile: key}); err != nil {
		t.Errorf("with a certificate: %v", err)
	}
	for _, path := range []string{cert, key} {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, append([]byte("\ufeff"), text...), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := get(driver.Network{ClientCertFile: cert, ClientKeyFile: key, CAFile: cert}); err != nil {
		t.Errorf("with a certificate behind a byte order mark: %v", err)
	}
	if err := get(driver.Network{}); err == nil {
		t.Error("without a certificate: no error")
	}
	if err := get(driver.Network{ClientCertFile: key, ClientKeyFile: cert}); !errors.Is(err, driver.Invalid) {
		t.Errorf("with the files swapped: got %v, want %v", err, driver.Invalid)
	}
	if err := driver.CheckNetwork(driver.Network{ClientCertFile: cert}); !errors.Is(err, driver.Invalid) {
		t.Errorf("without a key: got %v, want %v", err, driver.Invalid)
	}
}

// TestPool is that connections which are not kept are made anew.
func TestPool(t *testing.T) {
	tr, err := NewTransport(driver.Network{IdleConns: 3, IdleTimeout: time.Second, MaxConns: 5})
	if err != nil {
		t.Fatal(err)
	}
	if tr.MaxIdleConnsPerHost != 3 || tr.IdleConnTimeout != time.Second || tr.MaxConnsPerHost != 5 {
		t.Errorf("keeps %d of %d for %v", tr.MaxIdleConnsPerHost, tr.MaxConnsPerHost, tr.IdleConnTimeout)
	}
	if tr, err = NewTransport(driver.Network{}); err != nil {
		t.Fatal(err)
	}
	if tr.MaxIdleConnsPerHost != driver.DefaultIdleConns || tr.IdleConnTimeout != driver.DefaultStallTimeout {
		t.Errorf("by default keeps %d for %v", tr.MaxIdleConnsPerHost, tr.IdleConnTimeout)
	}
}

// TestLogRequests logs what was asked and answered, and no secret.
func TestLogRequests(t *testing.T) {
	var log bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	t.Cleanup(func() { slog.SetDefault(before) })
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	tr, err := NewTransport(driver.Network{})
	if err != nil {
		t.Fatal(err)
	}
	send := func(on bool) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, srv.URL+"/key?X-Amz-Signature=s3cr3t", strings.NewReader("hello"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "s3cr3t")
		if resp, err := (Transport{Transport: tr, Log: on}).RoundTrip(req); err == nil {
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
		}
	}
	send(false)
	if log.Len() > 0 {
		t.Errorf("logs unasked: %s", &log)
	}
	send(true)
	srv.Close()
	send(true)
	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	for i, want := range [][]string{{"method=PUT", "/key", "sent=5", "status=418"}, {"method=PUT", "cause="}} {
		for _, w := range want {
			if i >= len(lines) || !strings.Contains(lines[i], w) {
				t.Errorf("line %d does not say %q:\n%s", i, w, &log)
			}
		}
	}
	if strings.Contains(log.String(), "s3cr3t") {
		t.Errorf("tells a secret:\n%s", &log)
	}
}
