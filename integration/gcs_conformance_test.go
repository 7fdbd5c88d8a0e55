package integration_test

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
	"testing"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/drivertest"
	"github.com/blobdock/blobdock/gcs"
	"github.com/blobdock/blobdock/integration/emulator"
	"github.com/blobdock/blobdock/integration/wire"
)

// gcsExceptions are what fake-gcs-server gets wrong, and at the end what GCS can't
// do. The tests of package gcs run the same suite, with that last one alone left
// out, on a server that follows Google's documentation.
var gcsExceptions = map[string]string{
	"cond-honoured":     "compose and rewrite ignore preconditions; Put's are tested by one-wins-if-absent and one-wins-if-match",
	"complete-by-etag":  "compose ignores the generations of its sources",
	"complete-consumes": "compose ignores deleteSourceObjects, and answers 500 for a source that is gone",
	"retarget":          "the same",
	"upload-list":       "the same: what was completed is still listed",
	"copy":              "rewrite ignores ifSourceGenerationMatch",
	"etag-pins":         "reads ignore x-goog-if-generation-match",
	"model":             "all of these",
	"list-pages":        "every page repeats the common prefixes of all that follow",
	"sign":              "response-cache-control is ignored; signatures are not looked at either",

	"sign/part": "GCS: the reply to a PUT does not tell what names the part",
}

// gcsCosts are the verbs that take more than one request.
var gcsCosts = map[driver.Op]int64{
	driver.OpPutPart:     2, // the part, and a look at the marker
	driver.OpAbortUpload: 3, // the marker, a listing, and each part
}

// onFakeGCS is the conformance suite's way to buckets of fake-gcs-server, counted.
func onFakeGCS(t *testing.T) drivertest.Harness {
	t.Helper()
	g := emulator.StartGCS(t)
	through, proxy := wire.GCS(t, g)
	file := serviceAccount(t)
	open := func(t testing.TB, bucket string) driver.Bucket {
		b, err := gcs.Open(t.Context(), gcs.Config{Bucket: bucket, Endpoint: through.Endpoint, CredentialsFile: file})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = b.Close() })
		return b
	}
	return drivertest.Harness{
		New:      func(t testing.TB) driver.Bucket { return open(t, g.NewBucket(t)) },
		Missing:  func(t testing.TB) driver.Bucket { return open(t, "blobdock-no-such-bucket") },
		Golden:   "testdata",
		Requests: func() int64 { return int64(proxy.Counts().Requests()) }, Costs: gcsCosts, Exceptions: gcsExceptions,
	}
}

// serviceAccount makes a key file, and a server that gives tokens for it.
func serviceAccount(t *testing.T) (file string) {
	t.Helper()
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"access_token":"token","token_type":"Bearer","expires_in":3600}`))
	}))
	t.Cleanup(srv.Close)
	data, err := json.Marshal(map[string]string{
		"type": "service_account", "project_id": "blobdock", "private_key_id": "1", "client_id": "1",
		"client_email": "blobdock@blobdock.iam.gserviceaccount.com", "token_uri": srv.URL,
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
	})
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(t.TempDir(), "key.json")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestGCS runs the conformance suite of blobdock's own contract.
func TestGCS(t *testing.T) {
	drivertest.Run(t, onFakeGCS(t))
}

// TestGCSWrapped runs it through every wrapper.
func TestGCSWrapped(t *testing.T) {
	drivertest.RunWrapped(t, onFakeGCS(t))
}
