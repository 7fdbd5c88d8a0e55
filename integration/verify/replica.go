package verify

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/distribution/distribution/v3/registry/handlers"
	storagedriver "github.com/distribution/distribution/v3/registry/storage/driver"
	"github.com/distribution/distribution/v3/registry/storage/driver/factory"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/registry"
)

// replica is a registry that serves a bucket at a loopback address. Several replicas may
// serve one bucket.
type replica struct {
	url   string
	store *blobstore.Store
	life  *mortal
	stop  func()
}

// cluster is what replicas of one registry share.
type cluster struct {
	open   func(ctx context.Context) (driver.Bucket, error)
	secret string // signs the state of uploads
	parts  int64  // bytes of an upload's first parts
}

func newCluster(open func(ctx context.Context) (driver.Bucket, error), parts int64) *cluster {
	return &cluster{open: open, secret: rand.Text(), parts: parts}
}

// serve starts a replica.
func (c *cluster) serve(ctx context.Context, o blobstore.Options) (_ *replica, err error) {
	b, err := c.open(ctx)
	if err != nil {
		return nil, err
	}
	life := newMortal()
	o.PartSize, o.MemoryBudget, o.Log = c.parts, max(256<<20, 16*c.parts), slog.New(slog.DiscardHandler)
	store, err := blobstore.New(life.wrap(b), o)
	if err != nil {
		_ = b.Close()
		return nil, err
	}
	registerStores()
	config := &configuration.Configuration{
		Storage: configuration.Storage{
			storeName:     {"store": store},
			"delete":      {"enabled": true},
			"maintenance": {"uploadpurging": map[any]any{"enabled": false}},
		},
		Middleware: map[string][]configuration.Middleware{"registry": {{Name: registry.Name}}},
	}
	config.HTTP.Secret = c.secret
	config.Catalog.MaxEntries = 1000
	defer func() {
		if p := recover(); p != nil { // distribution panics over what it can't start with
			_ = store.Close()
			err = fmt.Errorf("registry: %v", p)
		}
	}()
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	app := handlers.NewApp(ctx, config)
	srv := httptest.NewServer(registry.Handler(config, app))
	return &replica{url: srv.URL, store: store, life: life, stop: func() {
		srv.CloseClientConnections()
		srv.Close()
		_ = app.Shutdown()
		cancel()
	}}, nil
}

// storeName is the storage driver that takes a blobstore.Store of the caller's making.
const storeName = "blobdock-verify"

var registerStores = sync.OnceFunc(func() { factory.Register(storeName, stores{}) })

type stores struct{}

// Create implements factory.StorageDriverFactory.
func (stores) Create(_ context.Context, section map[string]any) (storagedriver.StorageDriver, error) {
	s, ok := section["store"].(*blobstore.Store)
	if !ok {
		return nil, fmt.Errorf("%s: want a *blobstore.Store, got %T", storeName, section["store"])
	}
	return registry.NewDriver(s), nil
}

// registryClient follows no redirect: to where a pull is sent is looked at.
var registryClient = &http.Client{
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}
