package registry

import (
	"context"
	"fmt"
	"io"
	"reflect"
	"sync"
	"sync/atomic"

	"github.com/distribution/distribution/v3"
	"github.com/distribution/distribution/v3/registry/handlers"
	storagedriver "github.com/distribution/distribution/v3/registry/storage/driver"
	"github.com/distribution/reference"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/gc"
	"github.com/blobdock/blobdock/internal/pulls"
	"github.com/blobdock/blobdock/manifests"
	blobnamespace "github.com/blobdock/blobdock/namespace"
)

// newMiddleware makes distribution's namespace use the engine for blobs. sd is
// the storage driver with the configured storage middlewares around it.
func newMiddleware(ctx context.Context, ns distribution.Namespace, sd storagedriver.StorageDriver, options map[string]any) (distribution.Namespace, error) {
	d, ok := unwrap(sd)
	if !ok {
		return nil, fmt.Errorf("registry middleware blobdock needs the storage driver blobdock, the configured one is %s", sd.Name())
	}
	n := &namespace{Namespace: ns, driver: d, outer: sd, own: blobnamespace.New(d.store, blobnamespace.Options{}), manifests: manifests.New(d.store)}
	if n.RepositoryRemover, ok = ns.(distribution.RepositoryRemover); !ok {
		return nil, fmt.Errorf("registry middleware blobdock: %T can't remove repositories, list blobdock before other middlewares", ns)
	}
	if app, ok := ctx.(*handlers.App); ok {
		n.cache = app.Config.Proxy.RemoteURL != ""
		n.freeze(app.Config)
	}
	u, _, err := parseUpkeep(options)
	if err != nil {
		return nil, err
	}
	if u.sweep.enabled {
		go periodically(ctx, d.store, "sweep", u.sweep.interval, func(ctx context.Context) error { return u.sweep.sweep(ctx, d.store) })
	}
	if u.collect.enabled {
		if n.cache {
			return nil, fmt.Errorf("registry middleware blobdock: gc: a pull-through cache removes what it has by itself: %w", driver.Invalid)
		}
		if d.bucket.Features().Conds.Put != driver.AllConds {
			return nil, fmt.Errorf("registry middleware blobdock: gc: %w: conditional writes", gc.ErrStore)
		}
		if wait := d.friend.Watch().Wait(); u.collect.olderThan < wait {
			return nil, fmt.Errorf("registry middleware blobdock: gc: olderthan %v: want collection_wait, %v, or more: %w", u.collect.olderThan, wait, driver.Invalid)
		}
		if u.collect.retention != "" {
			if _, err := u.collect.policy(); err != nil {
				return nil, fmt.Errorf("registry middleware blobdock: gc: %w", err)
			}
		}
		go periodically(ctx, d.store, "gc", u.collect.interval, func(ctx context.Context) error { return u.collect.collect(ctx, d.store) })
	}
	if u.record.enabled && !n.cache {
		n.pulls = u.record.start(ctx, d.store)
	}
	if u.account.enabled {
		go periodically(ctx, d.store, "usage", u.account.interval, func(ctx context.Context) error { return u.account.account(ctx, d.store) })
	}
	return n, nil
}

// unwrap finds our driver under storage middlewares, which embed what they wrap
// as a field named StorageDriver.
func unwrap(sd storagedriver.StorageDriver) (*Driver, bool) {
	for sd != nil {
		if d, ok := sd.(*Driver); ok {
			return d, true
		}
		v := reflect.Indirect(reflect.ValueOf(sd))
		if v.Kind() != reflect.Struct {
			return nil, false
		}
		f := v.FieldByName("StorageDriver")
		if !f.IsValid() || !f.CanInterface() {
			return nil, false
		}
		sd, _ = f.Interface().(storagedriver.StorageDriver)
	}
	return nil, false
}

// namespace forwards every interface that distribution asserts on a registry,
// and gives out repositories whose blobs are the engine's.
type namespace struct {
	distribution.Namespace
	distribution.RepositoryRemover

	driver    *Driver
	outer     storagedriver.StorageDriver
	cache     bool                     // of another registry, which is asked for what is not here
	frozen    bool                     // a cache that stores nothing
	own       *blobnamespace.Namespace // without distribution's
	manifests *manifests.Service
	pulls     *pulls.Recorder                   // nil where they are not recorded
	options   atomic.Pointer[manifests.Options] // of the last request
}

var (
	_ distribution.Namespace            = (*namespace)(nil)
	_ distribution.RepositoryEnumerator = (*namespace)(nil)
	_ distribution.RepositoryRemover    = (*namespace)(nil)
	_ io.Closer                         = (*namespace)(nil)
)

// Repository implements distribution.Namespace.
func (n *namespace) Repository(ctx context.Context, name reference.Named) (distribution.Repository, error) {
	inner, err := n.Namespace.Repository(ctx, name)
	if err != nil {
		return nil, err
	}
	return &repository{Repository: inner, namespace: n}, nil
}

// Close is called when the registry shuts down.
func (n *namespace) Close() error {
	if n.pulls != nil {
		ctx, cancel := context.WithTimeout(context.Background(), lastFlush)
		defer cancel()
		if err := n.pulls.Flush(ctx); err != nil {
			n.driver.friend.Log().WarnContext(ctx, "the last pulls are not recorded", "cause", err)
		}
	}
	err := n.driver.store.Close()
	if c, ok := n.Namespace.(io.Closer); ok {
		if cerr := c.Close(); err == nil {
			err = cerr
		}
	}
	return err
}

// Repositories implements distribution.Namespace: it fills repos with names after
// last, and says io.EOF when there are no more.
func (n *namespace) Repositories(ctx context.Context, repos []string, last string) (int, error) {
	found, err := n.own.Repositories(ctx, repos, last)
	if err == io.EOF { //nolint:errorlint // distribution compares, too
		return found, err
	}
	return found, recordError(ctx, err)
}

// Enumerate implements distribution.RepositoryEnumerator.
func (n *namespace) Enumerate(ctx context.Context, ingester func(string) error) error {
	return recordError(ctx, n.own.Enumerate(ctx, ingester))
}

type repository struct {
	distribution.Repository
	namespace *namespace
	once      sync.Once
	manifests *manifests.Repository // see manifestsFor
}

// Blobs implements distribution.Repository.
func (r *repository) Blobs(ctx context.Context) distribution.BlobStore {
	b := &blobs{
		Repository: r.namespace.driver.store.Repository(r.Named()),
		inner:      r.Repository.Blobs(ctx),
		namespace:  r.namespace,
		repository: r,
	}
	if r.namespace.frozen {
		return frozenBlobs{b}
	}
	return b
}
