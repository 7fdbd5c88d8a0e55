package s3

import (
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/blobdock/blobdock/driver"
)

func TestStall(t *testing.T) {
	release := make(chan struct{})
	b, _ := fakeStore(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			w.Header().Set("Content-Length", "10")
			_, _ = io.WriteString(w, "12345")
			_ = http.NewResponseController(w).Flush()
		}
		<-release
	}, func(c *Config) { c.StallTimeout = 50 * time.Millisecond })
	defer close(release)

	err := put(absent)(t.Context(), b)
	if driver.KindOf(err) != driver.Unavailable || !driver.OutcomeUnknown(err) || driver.IsContextError(err) {
		t.Errorf("reply that never comes: got %v", err)
	}
	r, err := b.Open(t.Context(), "key", driver.Range{}, driver.ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(r)
	if string(got) != "12345" || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("body that stops: got %q and %v", got, err)
	}
	_ = r.Close()
}

// A transfer that makes progress may last longer than any step of it.
func TestSlowIsNotStalled(t *testing.T) {
	const steps, step = 8, 150 * time.Millisecond
	b, _ := fakeStore(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "8")
		for range steps {
			_, _ = io.WriteString(w, "x")
			_ = http.NewResponseController(w).Flush()
			time.Sleep(step)
		}
	}, func(c *Config) { c.StallTimeout = 7 * step })
	r, err := b.Open(t.Context(), "key", driver.Range{}, driver.ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	if got, err := io.ReadAll(r); len(got) != steps || err != nil {
		t.Errorf("got %d bytes and %v", len(got), err)
	}
}

// A store that refuses a body answers and hangs up before all of it was sent.
func TestAnswerBeforeReset(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				_, _ = conn.Read(make([]byte, 64*kib))
				_, _ = io.WriteString(conn, "HTTP/1.1 412 Precondition Failed\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
				// With bytes unread, closing resets the connection.
				_ = conn.Close()
			}()
		}
	}()
	b := openTest(t, testConfig("http://"+l.Addr().String()))
	lost := 0
	for range 50 {
		_, err := b.Put(t.Context(), "key", section(strings.Repeat("x", mib)), driver.WriteOptions{Cond: absent})
		switch {
		case errors.Is(err, driver.Exists):
		case driver.OutcomeUnknown(err): // the kernel may drop what had arrived
			lost++
		default:
			t.Fatalf("got %v, want %v or an unknown outcome", err, driver.Exists)
		}
	}
	t.Logf("%d of 50 answers were lost", lost)
}

func pemOf(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func TestTLS(t *testing.T) {
	f := &fake{answer: answers}
	srv := httptest.NewUnstartedServer(f)
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	defer srv.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pemOf(srv.Certificate().Raw), 0o600); err != nil {
		t.Fatal(err)
	}
	c := testConfig(srv.URL)
	err := put(free)(t.Context(), openTest(t, c))
	if !errors.Is(err, driver.Invalid) || !strings.Contains(err.Error(), "ca_file") {
		t.Errorf("unknown authority: got %v", err)
	}
	c.SkipVerify = true
	if err := put(free)(t.Context(), openTest(t, c)); err != nil {
		t.Errorf("skip_verify: %v", err)
	}
	c.SkipVerify, c.CAFile = false, ca
	if err := put(free)(t.Context(), openTest(t, c)); err != nil {
		t.Errorf("ca_file: %v", err)
	}
	// The SDK refuses other clients than its own with this set.
	c.CAFile = ""
	t.Setenv("AWS_CA_BUNDLE", ca)
	if err := put(free)(t.Context(), openTest(t, c)); err != nil {
		t.Errorf("AWS_CA_BUNDLE: %v", err)
	}
	// Over TLS, too, the body goes plain: no trailers, no chunks.
	for _, r := range f.take() {
		if r.header.Get("X-Amz-Content-Sha256") != "UNSIGNED-PAYLOAD" || r.header.Get("X-Amz-Checksum-Crc32c") != "mnG7TA==" || string(r.body) != "hello" {
			t.Errorf("request over TLS: %v", r)
		}
	}

	u, _ := url.Parse(srv.URL)
	plain := httptest.NewServer(f)
	defer plain.Close()
	p, _ := url.Parse(plain.URL)
	u.Host = p.Host
	err = put(free)(t.Context(), openTest(t, testConfig(u.String())))
	if !errors.Is(err, driver.Invalid) || !strings.Contains(err.Error(), "http rather than https") {
		t.Errorf("https to a http store: got %v", err)
	}
}
