//go:build !race

// Distribution's suite streams 5 GiB, and its stores share their random bytes:
// it runs without the race detector, which make test has it do, and one store
// after the other.

package integration_test

import (
	"flag"
	"testing"

	storagedriver "github.com/distribution/distribution/v3/registry/storage/driver"
	"github.com/distribution/distribution/v3/registry/storage/driver/testsuites"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/registry"
)

// TestDistributionSuite runs distribution's own suite for storage drivers, on
// MinIO and a directory in full. The other emulators keep all data in memory, so
// that they get the short form, which does without the stream of 5 GiB.
func TestDistributionSuite(t *testing.T) {
	for _, tc := range clouds {
		t.Run(tc.name, func(t *testing.T) {
			c := tc.open(t)
			if _, ok := c.(s3Cloud); !ok {
				brief(t)
			}
			storageDriver(t, look(t, c, c.newBucket(t)))
		})
	}
	t.Run("file", func(t *testing.T) {
		storageDriver(t, open(t, "file://"+t.TempDir()))
	})
}

// brief has the suite take its short form until the end of the test.
func brief(t *testing.T) {
	t.Helper()
	short := flag.Lookup("test.short").Value
	before := short.String()
	if err := short.Set("true"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = short.Set(before) })
}

func storageDriver(t *testing.T, b driver.Bucket) {
	t.Helper()
	s, err := blobstore.New(b, blobstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	testsuites.Driver(t, func() (storagedriver.StorageDriver, error) { return registry.NewDriver(s), nil }, false)
}
