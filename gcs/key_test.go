package gcs_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
)

// key is a service account's key, and the server that gives tokens for it.
type key struct {
	file    string
	private *rsa.PrivateKey
	tokens  *atomic.Int64 // asked for
}

const account = "signer@project.iam.gserviceaccount.com"

func newKey(t testing.TB) key {
	t.Helper()
	k := key{file: filepath.Join(t.TempDir(), "key.json"), tokens: new(atomic.Int64)}
	var err error
	if k.private, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		k.tokens.Add(1)
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"access_token":"secret-token","token_type":"Bearer","expires_in":3600}`))
	}))
	t.Cleanup(srv.Close)
	der, err := x509.MarshalPKCS8PrivateKey(k.private)
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(map[string]string{
		"type": "service_account", "project_id": "project", "private_key_id": "1", "client_email": account, "client_id": "1",
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), "token_uri": srv.URL,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(k.file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return k
}

// setTokenURI changes where the key's tokens come from.
func (k key) setTokenURI(t testing.TB, uri string) {
	t.Helper()
	data, err := os.ReadFile(k.file)
	if err != nil {
		t.Fatal(err)
	}
	var file map[string]string
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	file["token_uri"] = uri
	if data, err = json.Marshal(file); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(k.file, data, 0o600); err != nil {
		t.Fatal(err)
	}
}
