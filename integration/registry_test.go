package integration_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/distribution/distribution/v3/registry/handlers"

	"github.com/blobdock/blobdock/driver"
	_ "github.com/blobdock/blobdock/driver/file"
	"github.com/blobdock/blobdock/integration/emulator"
	"github.com/blobdock/blobdock/registry"
	_ "github.com/blobdock/blobdock/s3"
)

// secret is what replicas share to sign the state of uploads.
const secret = "shared by all replicas"

// bucketURL is how blobdock is told to use a bucket of s.
func bucketURL(s emulator.S3, bucket string) string { return profiledURL(s, bucket, "minio") }

// profiledURL is bucketURL with a profile of the S3 driver. By its address alone
// the store would be a generic one.
func profiledURL(s emulator.S3, bucket, profile string) string {
	q := url.Values{"endpoint": {s.Endpoint}, "region": {s.Region}, "profile": {profile}}
	return "s3://" + bucket + "?" + q.Encode()
}

// withCredentials adds a credentials file to a bucket's URL: a process under test
// has them in its environment, tests that run side by side can't.
func withCredentials(t testing.TB, s emulator.S3, bucketURL string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "credentials")
	text := fmt.Sprintf("[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n", s.AccessKey, s.SecretKey)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return bucketURL + "&credentials_file=" + url.QueryEscape(path)
}

// onS3 is the storage section of blobdock on a bucket of s.
func onS3(t testing.TB, s emulator.S3, bucket string) configuration.Storage {
	t.Helper()
	return blobdock(withCredentials(t, s, bucketURL(s, bucket)))
}

// blobdock is the storage section of blobdock on what a URL names.
func blobdock(url string) configuration.Storage {
	return configuration.Storage{"blobdock": {"url": url}}
}

// stockOnS3 is the storage section of distribution's own driver on the same.
func stockOnS3(s emulator.S3, bucket string) configuration.Storage {
	return configuration.Storage{"s3": {
		"region": s.Region, "regionendpoint": s.Endpoint, "forcepathstyle": true, "secure": false,
		"bucket": bucket, "accesskey": s.AccessKey, "secretkey": s.SecretKey,
	}}
}

// serve runs distribution's registry on a store, as its own program would.
// Several replicas can serve one store.
func serve(t testing.TB, storage configuration.Storage) *httptest.Server {
	t.Helper()
	storage["delete"] = configuration.Parameters{"enabled": true}
	storage["maintenance"] = configuration.Parameters{"uploadpurging": map[any]any{"enabled": false}}
	config := &configuration.Configuration{Storage: storage}
	config.HTTP.Secret = secret
	config.Catalog.MaxEntries = 1000
	if storage.Type() == registry.Name {
		config.Middleware = map[string][]configuration.Middleware{"registry": {{Name: registry.Name}}}
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	app := handlers.NewApp(ctx, config)
	srv := httptest.NewServer(registry.Handler(config, app))
	t.Cleanup(func() {
		srv.CloseClientConnections()
		srv.Close()
		_ = app.Shutdown()
		cancel()
	})
	return srv
}

// open opens a bucket to look at what is in it.
func open(t testing.TB, rawURL string) driver.Bucket {
	t.Helper()
	b, err := driver.Open(t.Context(), rawURL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

// openS3 opens a bucket of s.
func openS3(t testing.TB, s emulator.S3, bucket string) driver.Bucket {
	t.Helper()
	return open(t, withCredentials(t, s, bucketURL(s, bucket)))
}

// keys lists all that is in a bucket.
func keys(t testing.TB, b driver.Bucket) []string {
	t.Helper()
	var out []string
	for e, err := range driver.List(t.Context(), b, driver.ListRequest{}) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, e.Key)
	}
	return out
}
