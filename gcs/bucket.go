package gcs

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"

	"google.golang.org/api/option"
	"google.golang.org/api/storage/v1"

	"github.com/blobdock/blobdock/driver"
)

// Bucket is a bucket of Google Cloud Storage. It implements driver.Bucket.
type Bucket struct {
	config    Config // with its defaults
	client    *http.Client
	service   *storage.ObjectsService
	transport *http.Transport
	identity  *identity // nil when anonymous
	name      string
	prefix    string // of all keys on the wire; "" or with a "/" at its end
	features  driver.Features

	// seen is set once the store has shown that the bucket exists.
	seen atomic.Bool
}

var _ driver.Bucket = (*Bucket)(nil)

// Open makes a Bucket. It makes no request: a wrong bucket or credential shows
// at the first call.
func Open(ctx context.Context, c Config) (*Bucket, error) {
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("gcs: %w", err)
	}
	b, err := open(ctx, c.withDefaults())
	if err != nil {
		return nil, fmt.Errorf("gcs: %w", err)
	}
	return b, nil
}

func open(ctx context.Context, c Config) (*Bucket, error) {
	if err := checkEndpoint("STORAGE_EMULATOR_HOST", c.Endpoint); err != nil {
		return nil, err
	}
	tr, err := c.transport()
	if err != nil {
		return nil, err
	}
	b := &Bucket{config: c, transport: tr, name: c.Bucket, prefix: c.prefix()}
	var chain http.RoundTripper = transport{tr}
	if !c.Anonymous {
		b.identity = newIdentity(c, tr)
		chain = authorizer{next: chain, identity: b.identity}
	}
	b.client = &http.Client{
		Transport:     chain,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	// The generated client of the JSON API sends each request once. The one built
	// on it in cloud.google.com/go/storage reopens reads, loops over pages and asks
	// for the bucket's metadata on its own account.
	service, err := storage.NewService(ctx, option.WithHTTPClient(b.client), option.WithEndpoint(c.Endpoint+"/storage/v1/"))
	if err != nil {
		return nil, fmt.Errorf("client: %w: %w", err, driver.Invalid)
	}
	service.UserAgent = userAgent
	b.service = service.Objects
	b.features = b.offer()
	return b, nil
}

const userAgent = "blobdock"

func (b *Bucket) offer() driver.Features {
	f := driver.Features{
		Name:  "gcs",
		Parts: limits,
		Conds: driver.Conds{
			Put: driver.AllConds, Complete: driver.AllConds, Copy: driver.AllConds, Retarget: driver.AllConds,
		},
		Metadata:    true,
		PartSize:    orDefault(b.config.PartSize, defaultPartSize),
		Concurrency: b.config.Concurrency,
		Copy:        b.copyObject,
		Retarget:    b.retarget,
	}
	if !b.config.Anonymous {
		f.Sign = b.sign
	}
	return f
}

// Features tells what the store offers.
func (b *Bucket) Features() driver.Features { return b.features }

// Close frees idle connections.
func (b *Bucket) Close() error {
	b.transport.CloseIdleConnections()
	return nil
}

// full is key as the store knows it.
func (b *Bucket) full(key string) string { return b.prefix + key }

// checkKey is driver.CheckKey with the prefix counted and parts kept apart.
func (b *Bucket) checkKey(key string) error {
	if err := driver.CheckKey(key); err != nil {
		return err
	}
	if n := len(b.prefix) + len(key); n > driver.MaxKey {
		return fmt.Errorf("key has %d bytes with the bucket's prefix, at most %d are allowed: %w", n, driver.MaxKey, driver.Invalid)
	}
	if strings.HasPrefix(key, partsDir) {
		return fmt.Errorf("key %q: %s holds the parts of uploads: %w", key, partsDir, driver.Invalid)
	}
	return nil
}
