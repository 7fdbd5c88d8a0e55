//go:build !race

// Distribution's suite streams 5 GiB, and its stores share their random bytes:
// it runs without the race detector, which make test has it do, and one store
// after the other.

package integration_test

import (
	"testing"

	storagedriver "github.com/distribution/distribution/v3/registry/storage/driver"
	"github.com/distribution/distribution/v3/registry/storage/driver/testsuites"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/integration/emulator"
	"github.com/blobdock/blobdock/registry"
)

// TestDistributionSuite runs distribution's own suite for storage drivers, in full.
func TestDistributionSuite(t *testing.T) {
	t.Run("s3", func(t *testing.T) {
		s := emulator.Start(t)
		storageDriver(t, openS3(t, s, s.NewBucket(t)))
	})
	t.Run("file", func(t *testing.T) {
		storageDriver(t, open(t, "file://"+t.TempDir()))
	})
}

func storageDriver(t *testing.T, b driver.Bucket) {
	t.Helper()
	s, err := blobstore.New(b, blobstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	testsuites.Driver(t, func() (storagedriver.StorageDriver, error) { return registry.NewDriver(s), nil }, false)
}
