package integration_test

import (
	"testing"

	storagedriver "github.com/distribution/distribution/v3/registry/storage/driver"
	"github.com/distribution/distribution/v3/registry/storage/driver/testsuites"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/drivertest"
	"github.com/blobdock/blobdock/integration/emulator"
	"github.com/blobdock/blobdock/integration/wire"
	"github.com/blobdock/blobdock/registry"
)

// onMinIO is the conformance suite's way to buckets of MinIO, counted.
func onMinIO(t *testing.T) drivertest.Harness {
	t.Helper()
	store := wire.New(t, emulator.Start(t))
	return drivertest.Harness{
		New: func(t testing.TB) driver.Bucket { return openS3(t, store.S3, store.S3.NewBucket(t)) },
		Missing: func(t testing.TB) driver.Bucket {
			return openS3(t, store.S3, "blobdock-no-such-bucket")
		},
		Requests:          func() int64 { return int64(store.Counts().Requests()) },
		ListsUploadsByKey: true,
	}
}

// TestDriver runs the conformance suite of blobdock's own contract.
func TestDriver(t *testing.T) {
	drivertest.Run(t, onMinIO(t))
}

// TestDriverWrapped runs it through every wrapper.
func TestDriverWrapped(t *testing.T) {
	drivertest.RunWrapped(t, onMinIO(t))
}

// TestStorageDriver runs distribution's suite, its stream of 5 GiB included.
func TestStorageDriver(t *testing.T) {
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
