package integration_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"golang.org/x/crypto/bcrypt"

	"github.com/blobdock/blobdock/integration/emulator"
)

// configFile writes a configuration, in which ADDR is an address and DIR a folder for the
// registry.
func configFile(t *testing.T, addr, text string) string {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "config.yml")
	text = strings.NewReplacer("ADDR", addr, "DIR", dir).Replace("version: 0.1\nlog: {level: info, accesslog: {disabled: true}}\n" + text)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// hangup sends SIGHUP and waits until the program has told of it.
func (p *process) hangup(t *testing.T) {
	t.Helper()
	told := strings.Count(p.stderr.String(), "files are read again")
	if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	if !within(10*time.Second, func() bool { return strings.Count(p.stderr.String(), "files are read again") > told }) {
		t.Fatalf("nothing is told of SIGHUP\n%s", p.stderr.String())
	}
}

// TestServeWaits starts before its store does, and is sent SIGHUP meanwhile.
func TestServeWaits(t *testing.T) {
	t.Parallel()
	s := emulator.Start(t)
	c := onMinIO(s)
	store, err := url.Parse(c.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	closed, addr := freeAddr(t), freeAddr(t)
	p := launch(t, c.env(t), "serve", "--listen", addr, "--storage", c.at("http://"+closed).bare(c.newBucket(t)))
	if !within(20*time.Second, func() bool { return strings.Contains(p.stderr.String(), "waiting for it") }) {
		t.Fatalf("it does not say that it waits\n%s", p.stderr.String())
	}
	if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	time.Sleep(1500 * time.Millisecond) // it looks a second time
	if text := p.stderr.String(); strings.Count(text, "\n") != 1 || !strings.Contains(text, closed) || !strings.Contains(text, "storage_wait=30s") || strings.Contains(text, c.SecretKey) {
		t.Errorf("it says\n%s", text)
	}
	l, err := net.Listen("tcp", closed)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go forward(conn, store.Host)
		}
	}()
	if err := p.listens(t.Context(), addr, p.bannered); err != nil {
		t.Fatal(err)
	}
	img := randomImage(t, kib, 1)
	writeImage(t, p.url, "waited/for:v1", img)
}

// forward sends what comes to another address, and back.
func forward(from net.Conn, addr string) {
	defer from.Close()
	to, err := net.Dial("tcp", addr)
	if err != nil {
		return
	}
	defer to.Close()
	go func() { _, _ = io.Copy(to, from); to.(*net.TCPConn).CloseWrite() }()
	_, _ = io.Copy(from, to)
}

// TestServeWaitsInVain ends when storage_wait is over.
func TestServeWaitsInVain(t *testing.T) {
	t.Parallel()
	closed := freeAddr(t)
	p := launch(t, []string{"AWS_ACCESS_KEY_ID=a", "AWS_SECRET_ACCESS_KEY=s"}, "serve", "--listen", freeAddr(t),
		"--storage", "s3://b?region=r&path_style=true&storage_wait=2s&endpoint=http://"+closed)
	if code := p.code(t, 30*time.Second); code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	lines := strings.Split(strings.TrimSpace(p.stderr.String()), "\n")
	if len(lines) != 2 || !strings.Contains(lines[0], "waiting for it") || !strings.Contains(lines[1], "for 2s (storage_wait)") || !strings.Contains(lines[1], closed) {
		t.Errorf("it says\n%s", p.stderr.String())
	}
}

// authority makes certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	a := authority{key: key, pool: x509.NewCertPool()}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	a.pool.AddCert(a.cert)
	return a
}

// write makes a certificate for a name and writes it with its key into a folder.
func (a authority) write(t *testing.T, dir, name string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{"tls.crt": {Type: "CERTIFICATE", Bytes: der}, "tls.key": {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(filepath.Join(dir, file), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestServeCertificates replaces the certificate of a registry that runs: the next client gets
// the new one. A broken file changes nothing, and SIGHUP ends nothing.
func TestServeCertificates(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	dir := t.TempDir()
	a.write(t, dir, "one.example.com")
	p := onFreePort(t, (*process).bannered, func(addr string) *process {
		return launch(t, nil, "serve", configFile(t, addr, fmt.Sprintf(`storage: {blobdock: {url: "mem://tls"}}
http: {addr: "ADDR", secret: s, tls: {certificate: %s/tls.crt, key: %[1]s/tls.key}}
`, dir)))
	})
	addr := strings.TrimPrefix(p.url, "http://")
	_, port, _ := net.SplitHostPort(addr)
	if want := "registry   https://one.example.com:" + port + "\n"; !strings.HasPrefix(p.stdout.String(), want) {
		t.Errorf("it says\n%swant\n%s", p.stdout.String(), want)
	}
	names := func() string {
		conn, err := tls.Dial("tcp", addr, &tls.Config{RootCAs: a.pool, NextProtos: []string{"h2"}})
		if err != nil {
			t.Fatalf("%v\n%s", err, p.stderr.String())
		}
		defer conn.Close()
		if got := conn.ConnectionState().NegotiatedProtocol; got != "h2" {
			t.Errorf("protocol %q, want h2", got)
		}
		return conn.ConnectionState().PeerCertificates[0].DNSNames[0]
	}
	wantName := func(want string) {
		t.Helper()
		if !within(10*time.Second, func() bool { return names() == want }) {
			t.Errorf("the certificate is for %s, want %s\n%s", names(), want, p.stderr.String())
		}
	}
	wantName("one.example.com")
	a.write(t, dir, "two.example.com")
	wantName("two.example.com")
	if err := os.WriteFile(filepath.Join(dir, "tls.crt"), []byte("broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	p.hangup(t)
	wantName("two.example.com")
	if !strings.Contains(p.stderr.String(), "the old ones stay in use") {
		t.Errorf("it does not say that the file is broken\n%s", p.stderr.String())
	}
	a.write(t, dir, "three.example.com")
	p.hangup(t)
	wantName("three.example.com")
	client := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: a.pool}, ForceAttemptHTTP2: true}}
	resp, err := client.Get("https://" + addr + "/v2/")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK || resp.ProtoMajor != 2 {
		t.Errorf("GET /v2/: %s %s", resp.Proto, resp.Status)
	}
}

// TestServeHangup pushes while SIGHUP is sent, and stops as ever.
func TestServeHangup(t *testing.T) {
	t.Parallel()
	p := serving(t, nil, func(addr string) []string {
		return []string{configFile(t, addr, "storage: {blobdock: {url: \"mem://hup\"}}\nhttp: {addr: \"ADDR\", secret: s}\n")}
	})
	c := content{10 * mib, 1}
	conn := unfinished(t, begin(t, p.url, "hung/up"), c, 0, 5*mib)
	p.hangup(t)
	p.hangup(t)
	if _, err := io.Copy(conn, c.section(5*mib, 5*mib)); err != nil {
		t.Fatal(err)
	}
	p.interrupt(t)
	if code := p.code(t, 20*time.Second); code != 0 {
		t.Errorf("exit code %d, want 0\n%s", code, p.stderr.String())
	}
}

// TestServeUnixSocket serves on a socket that is a file, below a prefix.
func TestServeUnixSocket(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(t.TempDir(), "s")
	p := launch(t, nil, "serve", configFile(t, socket, "storage: {blobdock: {url: \"mem://unix\"}}\nhttp: {net: unix, addr: \"ADDR\", prefix: /team/, secret: s}\n"))
	if err := p.listens(t.Context(), socket, func() bool { return strings.Contains(p.stdout.String(), "try ") }); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("registry   %s  (unix socket, http)\nstorage    mem://unix\ntry        curl --unix-socket %[1]s http://localhost/team/v2/\n", socket)
	if got := p.stdout.String(); got != want {
		t.Errorf("it says\n%swant\n%s", got, want)
	}
	client := http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return net.Dial("unix", socket) }}}
	resp, err := client.Get("http://localhost/team/v2/")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("GET: %s", resp.Status)
	}
}

// TestServeCacheOffline starts a pull-through cache while the other registry is down. It serves
// what it has, and pulls, with its credentials, once the other is back.
func TestServeCacheOffline(t *testing.T) {
	t.Parallel()
	dir, upstream := t.TempDir(), freeAddr(t)
	hash, err := bcrypt.GenerateFromPassword([]byte("s3cr3t"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	passwords := filepath.Join(dir, "htpasswd")
	if err := os.WriteFile(passwords, []byte("user:"+string(hash)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	other := func() *process {
		p := launch(t, nil, "serve", configFile(t, upstream, fmt.Sprintf("storage: {blobdock: {url: \"file://%s/upstream\"}}\nauth: {htpasswd: {realm: r, path: %s}}\nhttp: {addr: \"ADDR\", secret: s}\n", dir, passwords)))
		if err := p.listens(t.Context(), upstream, p.bannered); err != nil {
			t.Fatal(err)
		}
		return p
	}
	pulls := func(p *process) bool { return strings.Contains(p.stdout.String(), "docker pull ") }
	cache := func() *process {
		return onFreePort(t, pulls, func(addr string) *process {
			return launch(t, nil, "serve", configFile(t, addr, fmt.Sprintf("storage: {blobdock: {url: \"file://%s/cache\"}}\nproxy: {remoteurl: \"http://%s\", username: user, password: s3cr3t}\nhttp: {addr: \"ADDR\"}\n", dir, upstream)))
		})
	}
	push := func(repo string) (pull func(*process)) {
		img := randomImage(t, kib, 2)
		err := remote.Write(reference(t, "http://"+upstream, repo), img, remote.WithContext(t.Context()), remote.WithAuth(&authn.Basic{Username: "user", Password: "s3cr3t"}))
		if err != nil {
			t.Fatal(err)
		}
		return func(p *process) { t.Helper(); readImage(t, p.url, repo, hashOf(t, img)) }
	}
	first, second := other(), cache()
	early := push("early:v1")
	early(second)
	second.kill()
	late := push("late:v1")
	first.kill()
	third := cache()
	early(third)
	if resp := do(t, http.MethodGet, third.url+"/v2/late/manifests/v1", nil, nil); resp.StatusCode == http.StatusOK {
		t.Error("it has what it never pulled")
	}
	other()
	late(third)
	for _, p := range []*process{second, third} {
		if strings.Contains(p.stdout.String()+p.stderr.String(), "s3cr3t") {
			t.Errorf("it tells the password\n%s", p.stderr.String())
		}
	}
}
