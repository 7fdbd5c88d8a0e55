package cloud

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/blobdock/blobdock/driver"
)

func writeFile(t *testing.T, path string, text []byte) {
	t.Helper()
	// As a mounted secret is replaced: by another file of the same name.
	if err := os.WriteFile(path+".new", text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

func TestFilesChanged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret")
	writeFile(t, path, []byte("one"))
	f := NewFiles("", path)
	changed := func() bool { f.looked = time.Time{}; return f.Changed() }
	if changed() {
		t.Error("changed before it was")
	}
	writeFile(t, path, []byte("two"))
	if f.looked = time.Now(); f.Changed() {
		t.Error("looked at again within the interval")
	}
	if now := f.Stat(); !changed() || !f.ChangedNow() {
		t.Error("not changed, and not read")
	} else if f.Read(now); changed() || f.ChangedNow() {
		t.Error("changed, and read")
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if changed() {
		t.Error("a missing file has changed")
	}
	writeFile(t, path, []byte("six"))
	if !changed() {
		t.Error("a file that has come back has not changed")
	}
	before := f.Stat()
	writeFile(t, path, []byte("seven"))
	if f.Read(before); !changed() {
		t.Error("a file that was replaced while it was read has not changed")
	}
	if NewFiles("").Changed() || (*Files)(nil).Changed() {
		t.Error("no file has changed")
	}
}

func authority(t *testing.T) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	of := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, of, of, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// TestRotatedAuthority replaces ca_file under a transport in use: first with a broken file,
// then with one that names the server's authority, then with another's.
func TestRotatedAuthority(t *testing.T) {
	srv := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer srv.Close()
	right := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})
	path := filepath.Join(t.TempDir(), "ca.pem")
	writeFile(t, path, right)
	n := driver.Network{CAFile: path}
	tr, err := NewTransport(n)
	if err != nil {
		t.Fatal(err)
	}
	files := NewTLSFiles(n)
	client := Transport{Transport: tr, TLS: files}
	get := func() error {
		files.files.looked = time.Time{}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.RoundTrip(req)
		if err == nil {
			_ = resp.Body.Close()
		}
		return err
	}
	for _, tt := range []struct {
		name    string
		content []byte
		trusted bool
	}{
		{"the server's", right, true}, {"a broken file", []byte("half"), true}, {"another's", authority(t), false}, {"the server's again", right, true},
	} {
		writeFile(t, path, tt.content)
		if err := get(); (err == nil) != tt.trusted {
			t.Errorf("%s: got %v", tt.name, err)
		}
	}
	if NewTLSFiles(driver.Network{}) != nil {
		t.Error("a network without files has some to replace")
	}
}
