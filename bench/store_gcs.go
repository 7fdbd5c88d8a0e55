package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	_ "github.com/blobdock/blobdock/gcs" // gs://
	"github.com/blobdock/blobdock/integration/emulator"
	"github.com/blobdock/blobdock/integration/wire"
)

type gcsStore struct {
	emulator.GCS
	account string // key file of a service account
}

func launchGCS(ctx context.Context, dir string) (store, func() error, error) {
	g, stop, err := emulator.LaunchGCS(ctx)
	if err != nil {
		return nil, nil, err
	}
	// The emulator takes any token; the libraries want one to sign with and to send.
	tokens := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"access_token":"token","token_type":"Bearer","expires_in":3600}`))
	}))
	end := func() error { tokens.Close(); return stop() }
	path := filepath.Join(dir, "gcs.account")
	if err := serviceAccount(path, tokens.URL); err != nil {
		return nil, nil, errors.Join(err, end())
	}
	return gcsStore{g, path}, end, nil
}

// serviceAccount writes a key file whose tokens come from tokenURL.
func serviceAccount(path, tokenURL string) error {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return err
	}
	b, err := json.Marshal(map[string]string{
		"type": "service_account", "project_id": "blobdock", "private_key_id": "1", "client_id": "1",
		"client_email": "blobdock@blobdock.iam.gserviceaccount.com", "token_uri": tokenURL,
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
	})
	if err != nil {
		return err
	}
	return os.WriteFile(path, b, 0o600)
}

func (g gcsStore) name() string  { return "gcs" }
func (g gcsStore) title() string { return "Google Cloud Storage (fake-gcs-server)" }

func (g gcsStore) makeBucket(ctx context.Context) (string, error) { return g.MakeBucket(ctx) }

func (g gcsStore) dropBucket(ctx context.Context, name string) error { return g.DropBucket(ctx, name) }

func (g gcsStore) through() (store, *wire.Proxy, error) {
	behind, proxy, err := wire.OpenGCS(g.GCS)
	g.GCS = behind
	return g, proxy, err
}

func (g gcsStore) url(bucket string) string {
	q := url.Values{"endpoint": {g.Endpoint}, "credentials_file": {g.account}}
	return "gs://" + bucket + "?" + q.Encode()
}

// stock has no key file in its section, with which the library refuses to talk to
// an emulator.
func (g gcsStore) stock(bucket string) (map[string]any, []string) {
	return map[string]any{"bucket": bucket}, []string{
		"STORAGE_EMULATOR_HOST=" + strings.TrimPrefix(g.Endpoint, "http://"),
		"GOOGLE_APPLICATION_CREDENTIALS=" + g.account,
	}
}

// cannot: see newSession and RedirectURL in registry/storage/driver/gcs/gcs.go.
func (g gcsStore) cannot(s scenario) string {
	switch {
	case s.redirect:
		return "its driver signs URLs of storage.googleapis.com alone"
	case s.pushes:
		return "its driver sends uploads to www.googleapis.com, wherever its client is told to go"
	}
	return ""
}
