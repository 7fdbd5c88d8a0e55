package registry_test

import (
	"testing"

	storagedriver "github.com/distribution/distribution/v3/registry/storage/driver"
	"github.com/distribution/distribution/v3/registry/storage/driver/testsuites"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/mem"
	"github.com/blobdock/blobdock/registry"
)

// newDriver makes a storage driver on b.
func newDriver(t testing.TB, b driver.Bucket) *registry.Driver {
	t.Helper()
	s, err := blobstore.New(b, blobstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return registry.NewDriver(s)
}

// TestDistributionSuite runs distribution's own suite for storage drivers.
func TestDistributionSuite(t *testing.T) {
	testsuites.Driver(t, func() (storagedriver.StorageDriver, error) {
		return newDriver(t, mem.New()), nil
	}, false)
}
