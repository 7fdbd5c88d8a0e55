package registry_test

import (
	"testing"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
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
