package main

import (
	"context"
	"net/http"
	"net/url"
	"os"
	"path/filepath"

	_ "github.com/blobdock/blobdock/azure" // azblob://
	"github.com/blobdock/blobdock/integration/emulator"
	"github.com/blobdock/blobdock/integration/wire"
)

type azureStore struct {
	emulator.Azure
	key string // file
}

func launchAzure(ctx context.Context, dir string) (store, func() error, error) {
	a, stop, err := emulator.LaunchAzure(ctx)
	if err != nil {
		return nil, nil, err
	}
	path := filepath.Join(dir, "azure.key")
	return azureStore{a, path}, stop, os.WriteFile(path, []byte(a.Key+"\n"), 0o600)
}

func (a azureStore) name() string  { return "azure" }
func (a azureStore) title() string { return "Azure Blob Storage (Azurite)" }

func (a azureStore) makeBucket(ctx context.Context) (string, error) { return a.MakeContainer(ctx) }

func (a azureStore) dropBucket(ctx context.Context, name string) error {
	return a.DropContainer(ctx, name)
}

func (a azureStore) through() (store, *wire.Proxy, error) {
	behind, proxy, err := wire.OpenAzure(a.Azure)
	a.Azure = behind
	return a, proxy, err
}

func (a azureStore) url(container string) string {
	q := url.Values{"endpoint": {a.Endpoint}, "key_file": {a.key}}
	return "azblob://" + container + "?" + q.Encode()
}

func (a azureStore) blobdock(container string) (string, []string) { return a.url(container), nil }

func (a azureStore) lead(*http.Transport) {} // URLs lead to this machine

func (a azureStore) stock(container string) (map[string]any, []string) {
	return map[string]any{
		"accountname": a.Account, "accountkey": a.Key, "container": container, "serviceurl": a.Endpoint,
		"credentials": map[string]any{"type": "shared_key"},
	}, nil
}

func (a azureStore) cannot(s scenario) string {
	if s.redirect {
		return "its driver signs URLs for https alone, which the emulator does not speak"
	}
	return ""
}
