package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"sync"
	"sync/atomic"

	"github.com/distribution/distribution/v3"
	storagedriver "github.com/distribution/distribution/v3/registry/storage/driver"
	"github.com/distribution/reference"

	"github.com/blobdock/blobdock/manifests"
)

// newMiddleware makes distribution's namespace use the engine for blobs. sd is
// the storage driver with the configured storage middlewares around it.
func newMiddleware(ctx context.Context, ns distribution.Namespace, sd storagedriver.StorageDriver, options map[string]any) (distribution.Namespace, error) {
	d, ok := unwrap(sd)
	if !ok {
		return nil, fmt.Errorf("registry middleware blobdock needs the storage driver blobdock, the configured one is %s", sd.Name())
	}
	n := &namespace{Namespace: ns, driver: d, outer: sd, manifests: manifests.New(d.store)}
	if n.RepositoryRemover, ok = ns.(distribution.RepositoryRemover); !ok {
		return nil, fmt.Errorf("registry middleware blobdock: %T can't remove repositories, list blobdock before other middlewares", ns)
	}
	sweep, err := parseSweep(options)
	if err != nil {
		return nil, err
	}
	if sweep.enabled {
		go sweep.run(ctx, d.store)
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
	manifests *manifests.Service
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
	if len(repos) == 0 {
		return 0, errors.New("asked for no repositories")
	}
	found := 0
	for name, err := range n.driver.store.Repositories(ctx, last) {
		if err != nil {
			return found, recordError(ctx, err)
		}
		repos[found] = name
		if found++; found == len(repos) {
			return found, nil
		}
	}
	return found, io.EOF
}

// Enumerate implements distribution.RepositoryEnumerator.
func (n *namespace) Enumerate(ctx context.Context, ingester func(string) error) error {
	for name, err := range n.driver.store.Repositories(ctx, "") {
		if err == nil {
			err = ingester(name)
		}
		if err != nil {
			return recordError(ctx, err)
		}
	}
	return nil
}

type repository struct {
	distribution.Repository
	namespace *namespace
	once      sync.Once
	manifests *manifests.Repository // see manifestsFor
}

// Blobs implements distribution.Repository.
func (r *repository) Blobs(ctx context.Context) distribution.BlobStore {
	return &blobs{
		Repository: r.namespace.driver.store.Repository(r.Named()),
		inner:      r.Repository.Blobs(ctx),
		namespace:  r.namespace,
	}
}
