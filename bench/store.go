package main

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"

	"github.com/blobdock/blobdock/integration/wire"
)

// store is an emulator that both registries work on.
type store interface {
	name() string
	title() string
	makeBucket(ctx context.Context) (string, error)
	dropBucket(ctx context.Context, name string) error
	// through is the store behind a proxy that counts.
	through() (store, *wire.Proxy, error)
	// url is how a bucket is opened to prepare it, credentials included.
	url(bucket string) string
	// blobdock is how it is told to use a bucket, and its environment.
	blobdock(bucket string) (string, []string)
	// stock is the same for distribution's own driver: its section of the
	// configuration and its environment.
	stock(bucket string) (map[string]any, []string)
	// lead has clients get to where signed URLs lead.
	lead(*http.Transport)
	// cannot is why distribution's driver can't do a piece of work on the
	// emulator; "" when it can.
	cannot(scenario) string
}

// launcher starts a store, which keeps files in a directory of its own.
type launcher func(ctx context.Context, dir string) (s store, stop func() error, err error)

// site is a store with all that is needed to measure on it.
type site struct {
	direct  store
	counted store // the same one, behind proxy
	proxy   *wire.Proxy
	seeded  string // bucket with what is pulled
}

// section is the storage section of a registry, and its environment.
func section(s store, r registry, bucket string, redirect bool) (map[string]any, []string) {
	var env []string
	storage := map[string]any{}
	if r == stock {
		storage[s.name()], env = s.stock(bucket)
	} else {
		var at string
		at, env = s.blobdock(bucket)
		storage["blobdock"] = map[string]any{"url": at}
	}
	storage["redirect"] = map[string]any{"disable": !redirect}
	storage["cache"] = map[string]any{"blobdescriptor": "inmemory"} // as in distribution's example
	storage["delete"] = map[string]any{"enabled": true}
	storage["maintenance"] = map[string]any{"uploadpurging": map[string]any{"enabled": false}}
	return storage, env
}

// maxCatalog is how many repositories a registry may list at once.
const maxCatalog = 10_000

// configure writes a registry's configuration. All of JSON is YAML, too.
func configure(dir, addr string, storage map[string]any) (path string, err error) {
	b, err := json.Marshal(map[string]any{
		"version": "0.1",
		"log":     map[string]any{"level": "error", "accesslog": map[string]any{"disabled": true}},
		"storage": storage,
		"catalog": map[string]any{"maxentries": maxCatalog},
		"http":    map[string]any{"addr": addr, "secret": "the same for both"},
	})
	if err != nil {
		return "", err
	}
	path = filepath.Join(dir, "config.yml")
	return path, os.WriteFile(path, b, 0o600)
}
