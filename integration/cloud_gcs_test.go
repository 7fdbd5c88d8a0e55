package integration_test

import (
	"net/url"
	"path/filepath"
	"testing"

	_ "github.com/blobdock/blobdock/gcs"
	"github.com/blobdock/blobdock/integration/emulator"
	"github.com/blobdock/blobdock/integration/google"
	"github.com/blobdock/blobdock/integration/wire"
)

// gcsCloud is a server that speaks Google Cloud Storage's APIs. fake-gcs-server
// takes any credentials, so those that are wrong are refused where a service
// account gets its tokens.
type gcsCloud struct {
	emulator.GCS
	refused bool
	lawful  bool // laws correct what the emulator gets wrong
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

// serviceAccount makes a key file, and a server that gives tokens for it.
func (c gcsCloud) serviceAccount(t testing.TB) (file string) {
	t.Helper()
	open := google.NewAccount
	if c.refused {
		open = google.NewRefused
	}
	account, err := open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(account.Close)
	file = filepath.Join(t.TempDir(), "account.json")
	if err := account.Write(file); err != nil {
		t.Fatal(err)
	}
	return file
}

// stock is distribution's own driver, in a process of its own: it is led to the emulator
// by its environment, as it uploads to www.googleapis.com whatever it is told. It streams
// pulls: clients here are not led there.
func (c gcsCloud) stock(t testing.TB, bucket string) side {
	t.Helper()
	front, err := google.Start(t.Context(), c.Endpoint, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return stockProcess{stockProgram, front.Stock(), map[string]any{
		"gcs":         map[string]any{"bucket": bucket, "keyfile": c.serviceAccount(t)},
		"delete":      map[string]any{"enabled": true},
		"maintenance": map[string]any{"uploadpurging": map[string]any{"enabled": false}},
		"redirect":    map[string]any{"disable": true},
	}}
}
