package integration_test

import (
	"context"
	"net/http/httptest"
	"testing"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/distribution/distribution/v3/registry/handlers"

	"github.com/blobdock/blobdock/driver"
	_ "github.com/blobdock/blobdock/driver/file"
	"github.com/blobdock/blobdock/registry"
)

// secret is what replicas share to sign the state of uploads.
const secret = "shared by all replicas"

// blobdock is the storage section of blobdock on what a URL names.
func blobdock(url string) configuration.Storage {
	return configuration.Storage{"blobdock": {"url": url}}
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
