package integration_test

import (
	"testing"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/drivertest"
	"github.com/blobdock/blobdock/integration/emulator"
	"github.com/blobdock/blobdock/integration/wire"
)

// onMinIO is the conformance suite's way to buckets of MinIO, counted, with the
// given profile of the S3 driver.
func onMinIO(t *testing.T, profile string) drivertest.Harness {
	t.Helper()
	s, proxy := wire.S3(t, emulator.Start(t))
	open := func(t testing.TB, bucket string) driver.Bucket {
		return open(t, withCredentials(t, s, profiledURL(s, bucket, profile)))
	}
	return drivertest.Harness{
		Name:              "s3-" + profile,
		New:               func(t testing.TB) driver.Bucket { return open(t, s.NewBucket(t)) },
		Missing:           func(t testing.TB) driver.Bucket { return open(t, "blobdock-no-such-bucket") },
		Golden:            "testdata",
		Requests:          func() int64 { return int64(proxy.Counts().Requests()) },
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
