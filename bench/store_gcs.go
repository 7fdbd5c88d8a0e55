package main

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"path/filepath"

	_ "github.com/blobdock/blobdock/gcs" // gs://
	"github.com/blobdock/blobdock/integration/emulator"
	"github.com/blobdock/blobdock/integration/google"
	"github.com/blobdock/blobdock/integration/wire"
)

// gcsStore is behind a front for Google's hosts, over TLS as Google's own are:
// distribution's driver sends uploads to www.googleapis.com and signs URLs of
// storage.googleapis.com, wherever its client is told to go.
type gcsStore struct {
	emulator.GCS
	account string // key file
	front   *google.Front
	startIn func(endpoint string) (*google.Front, error)
}

func launchGCS(ctx context.Context, dir string) (store, func() error, error) {
	g, stop, err := emulator.LaunchGCS(ctx)
	if err != nil {
		return nil, nil, err
	}
	account, err := google.NewAccount()
	if err != nil {
		return nil, nil, errors.Join(err, stop())
	}
	end := func() error { account.Close(); return stop() }
	s := gcsStore{GCS: g, account: filepath.Join(dir, "gcs.account")}
	s.startIn = func(endpoint string) (*google.Front, error) { return google.Start(ctx, endpoint, dir) }
	s.front, err = s.startIn(g.Endpoint)
	if err = errors.Join(err, account.Write(s.account)); err != nil {
		return nil, nil, errors.Join(err, end())
	}
	return s, end, nil
}

func (g gcsStore) name() string  { return "gcs" }
func (g gcsStore) title() string { return "Google Cloud Storage (fake-gcs-server, over TLS)" }

func (g gcsStore) makeBucket(ctx context.Context) (string, error) { return g.MakeBucket(ctx) }

func (g gcsStore) dropBucket(ctx context.Context, name string) error { return g.DropBucket(ctx, name) }

func (g gcsStore) through() (store, *wire.Proxy, error) {
	behind, proxy, err := wire.OpenGCS(g.GCS)
	if err != nil {
		return nil, nil, err
	}
	g.GCS = behind
	if g.front, err = g.startIn(behind.Endpoint); err != nil {
		proxy.Close()
		return nil, nil, err
	}
	return g, proxy, nil
}

func (g gcsStore) url(bucket string) string {
	q := url.Values{"endpoint": {g.Endpoint}, "credentials_file": {g.account}}
	return "gs://" + bucket + "?" + q.Encode()
}

func (g gcsStore) blobdock(bucket string) (string, []string) {
	q := url.Values{"credentials_file": {g.account}, "ca_file": {g.front.CAFile()}}
	return "gs://" + bucket + "?" + q.Encode(), []string{"HTTPS_PROXY=" + g.front.Proxy()}
}

func (g gcsStore) stock(bucket string) (map[string]any, []string) {
	return map[string]any{"bucket": bucket, "keyfile": g.account}, g.front.Stock()
}

func (g gcsStore) lead(t *http.Transport) { g.front.Lead(t) }

func (g gcsStore) cannot(scenario) string { return "" }
