package gcs

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"sync/atomic"

	"google.golang.org/api/option"
	"google.golang.org/api/storage/v1"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/cloud"
	"github.com/blobdock/blobdock/internal/lend"
)

// Bucket is a bucket of Google Cloud Storage. It implements driver.Bucket.
type Bucket struct {
	lent
	config    Config       // with its defaults
	client    *http.Client // adds a token to each request
	plain     *http.Client // adds none, for requests that are signed by their URL
	service   *storage.ObjectsService
	buckets   *storage.BucketsService
	transport *http.Transport
	identity  *identity // nil when anonymous
	name      string
	prefix    cloud.Prefix
	features  driver.Features
	clock     cloud.Clock

	// seen is set once the store has shown that the bucket exists.
	seen atomic.Bool
}

// lent is the JSON API's client for this module's tests.
type lent = lend.Client

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
	tr, err := cloud.NewTransport(c.Network)
	if err != nil {
		return nil, err
	}
	prefix, err := cloud.NewPrefix(c.Prefix)
	if err != nil {
		return nil, err
	}
	b := &Bucket{config: c, transport: tr, name: c.Bucket, prefix: prefix}
	var chain http.RoundTripper = cloud.Transport{Transport: tr, Log: c.LogRequests, Clock: &b.clock, TLS: cloud.NewTLSFiles(c.Network)}
	b.plain = straight(chain)
	if !c.Anonymous {
		b.identity = newIdentity(c, tr)
		chain = authorizer{next: chain, identity: b.identity}
	}
	b.client = straight(chain)
	// The generated client of the JSON API sends each request once. The one built
	// on it in cloud.google.com/go/storage reopens reads, loops over pages and asks
	// for the bucket's metadata on its own account.
	service, err := storage.NewService(ctx, option.WithHTTPClient(b.client), option.WithEndpoint(c.Endpoint+"/storage/v1/"))
	if err != nil {
		return nil, fmt.Errorf("client: %w: %w", err, driver.Invalid)
	}
	service.UserAgent = userAgent
	b.service, b.buckets = service.Objects, service.Buckets
	b.lent = lend.New(b.service)
	b.features = b.offer()
	return b, nil
}

// straight is a client that follows no redirect.
func straight(chain http.RoundTripper) *http.Client {
	return &http.Client{
		Transport:     chain,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

const userAgent = "blobdock"

func (b *Bucket) offer() driver.Features {
	f := driver.Features{
		Permissions: permissions,
		SuffixRange: true,
		Now:         b.clock.Now,
		Transport:   b.plain.Transport,
		Name:        "gcs",
		Parts:       limits,
		Conds: driver.Conds{
			Put: driver.AllConds, Copy: driver.AllConds, Concat: driver.AllConds,
			Delete: driver.CondIfMatch, DeleteBatch: true,
		},
		Metadata:    true,
		PartSize:    cmp.Or(b.config.PartSize, defaultPartSize),
		Concurrency: b.config.Concurrency,
		Copy:        b.copyObject,
		Concat:      b.concat,
		DeleteBatch: b.deleteBatch,
		BatchMax:    maxBatch,

		StatChecksums: b.statChecksums,
		Settings:      b.settings,
	}
	if !b.config.Anonymous {
		f.Sign, f.Conds.DeleteNotAfter = b.sign, true
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
func (b *Bucket) full(key string) string { return b.prefix.Full(key) }

// checkKey is driver.CheckKey with the prefix counted.
func (b *Bucket) checkKey(key string) error { return b.prefix.CheckKey(key) }
