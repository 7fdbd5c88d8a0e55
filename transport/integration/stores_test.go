package integration_test

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	_ "github.com/blobdock/blobdock/azure"
	_ "github.com/blobdock/blobdock/driver/file"
	_ "github.com/blobdock/blobdock/gcs"
	"github.com/blobdock/blobdock/integration/emulator"
	"github.com/blobdock/blobdock/integration/google"
	"github.com/blobdock/blobdock/integration/wire"
	_ "github.com/blobdock/blobdock/s3"
)

// bucket is a bucket of the test on an emulator, behind a proxy that counts.
type bucket struct {
	url      string // with credentials in a file
	proxy    *wire.Proxy
	stock    map[string]any // the section of distribution's own driver, through the proxy as well
	stockEnv []string
}

// stores make a bucket each.
var stores = map[string]func(*testing.T) bucket{"s3": onS3, "gcs": onGCS, "azure": onAzure}

// onEach runs a test on every store, side by side.
func onEach(t *testing.T, test func(*testing.T, bucket)) {
	t.Helper()
	t.Parallel()
	for name, open := range stores {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
	}
}

func onS3(t *testing.T) bucket {
	t.Helper()
	direct := emulator.Start(t)
	name := direct.NewBucket(t)
	s, proxy := wire.S3(t, direct)
	q := url.Values{"endpoint": {s.Endpoint}, "region": {s.Region}, "path_style": {"true"}, "profile": {"minio"}, "credentials_file": {
		secretFile(t, fmt.Sprintf("[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n", s.AccessKey, s.SecretKey)),
	}}
	return bucket{"s3://" + name + "?" + q.Encode(), proxy, map[string]any{"s3": map[string]any{
		"region": s.Region, "regionendpoint": s.Endpoint, "forcepathstyle": true, "secure": false,
		"bucket": name, "accesskey": s.AccessKey, "secretkey": s.SecretKey,
	}}, nil}
}

func onGCS(t *testing.T) bucket {
	t.Helper()
	direct := emulator.StartGCS(t)
	name := direct.NewBucket(t)
	g, proxy := wire.GCS(t, direct)
	account, err := google.NewAccount()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(account.Close)
	key := filepath.Join(t.TempDir(), "account.json")
	if err := account.Write(key); err != nil {
		t.Fatal(err)
	}
	front, err := google.Start(t.Context(), g.Endpoint, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	q := url.Values{"endpoint": {g.Endpoint}, "credentials_file": {key}}
	return bucket{"gs://" + name + "?" + q.Encode(), proxy, map[string]any{"gcs": map[string]any{"bucket": name, "keyfile": key}}, front.Stock()}
}

func onAzure(t *testing.T) bucket {
	t.Helper()
	direct := emulator.StartAzure(t)
	name := direct.NewContainer(t)
	a, proxy := wire.Azure(t, direct)
	q := url.Values{"endpoint": {a.Endpoint}, "key_file": {secretFile(t, a.Key+"\n")}}
	return bucket{"azblob://" + name + "?" + q.Encode(), proxy, map[string]any{"azure": map[string]any{
		"accountname": a.Account, "accountkey": a.Key, "container": name, "serviceurl": a.Endpoint,
		"credentials": map[string]any{"type": "shared_key"},
	}}, nil}
}

// secretFile is a file of the test's own.
func secretFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "credentials")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
