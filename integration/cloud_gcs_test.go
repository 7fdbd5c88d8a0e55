package integration_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"

	_ "github.com/blobdock/blobdock/gcs"
	"github.com/blobdock/blobdock/integration/emulator"
	"github.com/blobdock/blobdock/integration/wire"
)

// gcsCloud is a server that speaks Google Cloud Storage's APIs. fake-gcs-server
// takes any credentials, so those that are wrong are refused where a service
// account gets its tokens.
type gcsCloud struct {
	emulator.GCS
	refused bool
}

func (c gcsCloud) newBucket(t testing.TB) string { return c.NewBucket(t) }

func (c gcsCloud) bare(bucket string) string {
	return "gs://" + bucket + "?endpoint=" + url.QueryEscape(c.Endpoint)
}

func (c gcsCloud) env(t testing.TB) []string {
	t.Helper()
	return []string{"GOOGLE_APPLICATION_CREDENTIALS=" + c.serviceAccount(t)}
}

func (c gcsCloud) url(t testing.TB, bucket string) string {
	t.Helper()
	return c.bare(bucket) + "&credentials_file=" + url.QueryEscape(c.serviceAccount(t))
}

func (c gcsCloud) endpoint() string { return c.Endpoint }

func (c gcsCloud) at(endpoint string) cloud {
	c.Endpoint = endpoint
	return c
}

func (c gcsCloud) wrong() cloud {
	c.refused = true
	return c
}

func (c gcsCloud) through(t testing.TB) (cloud, *wire.Proxy) {
	t.Helper()
	g, proxy := wire.GCS(t, c.GCS)
	c.GCS = g
	return c, proxy
}

// signingKey is that of all service accounts: to make one takes long.
var signingKey = sync.OnceValues(func() (string, error) {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return "", err
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return "", err
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), nil
})

// serviceAccount makes a key file, and a server that gives tokens for it.
func (c gcsCloud) serviceAccount(t testing.TB) (file string) {
	t.Helper()
	key, err := signingKey()
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if c.refused {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = w.Write([]byte(`{"error":"invalid_grant","error_description":"Invalid JWT Signature."}`))
			return
		}
		_, _ = w.Write([]byte(`{"access_token":"token","token_type":"Bearer","expires_in":3600}`))
	}))
	t.Cleanup(srv.Close)
	data, err := json.Marshal(map[string]string{
		"type": "service_account", "project_id": "blobdock", "private_key_id": "1", "client_id": "1",
		"client_email": "blobdock@blobdock.iam.gserviceaccount.com", "token_uri": srv.URL, "private_key": key,
	})
	if err != nil {
		t.Fatal(err)
	}
	return secretFile(t, string(data))
}
