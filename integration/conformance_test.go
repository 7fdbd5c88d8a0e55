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

// onMinIO is the conformance suite's way to buckets of MinIO, counted, with the
// given profile of the S3 driver.
func onMinIO(t *testing.T, profile string) drivertest.Harness {
	t.Helper()
	store := wire.New(t, emulator.Start(t))
	open := func(t testing.TB, bucket string) driver.Bucket {
		return open(t, withCredentials(t, store.S3, profiledURL(store.S3, bucket, profile)))
	}
	return drivertest.Harness{
		Name:              "s3-" + profile,
		New:               func(t testing.TB) driver.Bucket { return open(t, store.S3.NewBucket(t)) },
		Missing:           func(t testing.TB) driver.Bucket { return open(t, "blobdock-no-such-bucket") },
		Golden:            "testdata",
		Requests:          func() int64 { return int64(store.Counts().Requests()) },
		ListsUploadsByKey: true,
	}
}

// TestDriver runs the conformance suite of blobdock's own contract: with what is
// known of MinIO, and as a store that nothing is known of.
func TestDriver(t *testing.T) {
	t.Parallel()
	for _, profile := range []string{"minio", "generic"} {
		t.Run(profile, func(t *testing.T) { drivertest.Run(t, onMinIO(t, profile)) })
	}
}

// TestDriverWrapped runs it through every wrapper.
func TestDriverWrapped(t *testing.T) {
	t.Parallel()
	h := onMinIO(t, "minio")
	h.Steps = 100 // the walk is longer without wrappers
	drivertest.RunWrapped(t, h)
}

// TestStorageDriver runs distribution's suite, its stream of 5 GiB included.
func TestStorageDriver(t *testing.T) {
	t.Parallel()
	t.Run("s3", func(t *testing.T) {
		t.Parallel()
		s := emulator.Start(t)
		storageDriver(t, openS3(t, s, s.NewBucket(t)))
	})
	t.Run("file", func(t *testing.T) {
		t.Parallel()
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
