package integration_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/distribution/distribution/v3/configuration"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/retry"
	"github.com/blobdock/blobdock/integration/emulator"
	"github.com/blobdock/blobdock/integration/wire"
)

// cloud is a way to an object store: straight to it, through a proxy, or one that
// leads nowhere.
type cloud interface {
	// newBucket makes an empty bucket or container, which goes with the test.
	newBucket(t testing.TB) string
	// bare is how a process is told to use a bucket; env has its credentials.
	bare(bucket string) string
	env(t testing.TB) []string
	// url is bare with a file that holds the credentials: tests that run side by
	// side have one environment.
	url(t testing.TB, bucket string) string

	// endpoint is the address, and at the same store at another one.
	endpoint() string
	at(endpoint string) cloud
	// wrong is the store with a secret that is not the one.
	wrong() cloud
	// through is the store behind a proxy that counts.
	through(t testing.TB) (cloud, *wire.Proxy)
}

// store is one that tests run on.
type store struct {
	name string
	open func(testing.TB) cloud
	// env leads another process to the emulator.
	env func(testing.TB) []string
}

// clouds are the stores that the end-to-end tests run on.
var clouds = []store{
	{"s3", func(t testing.TB) cloud { return onMinIO(emulator.Start(t)) }, envS3},
	{"gcs", func(t testing.TB) cloud { return gcsCloud{GCS: emulator.StartGCS(t)} }, envGCS},
	{"azure", func(t testing.TB) cloud { return azureCloud{Azure: emulator.StartAzure(t)} }, envAzure},
}

func envS3(t testing.TB) []string    { return emulator.Start(t).Env() }
func envGCS(t testing.TB) []string   { return emulator.StartGCS(t).Env() }
func envAzure(t testing.TB) []string { return emulator.StartAzure(t).Env() }

// onEach runs a test on every store, side by side, and beside other tests.
func onEach(t *testing.T, test func(t *testing.T, c cloud)) {
	t.Helper()
	t.Parallel()
	sideBySide(t, test)
}

// sideBySide is onEach without other tests.
func sideBySide(t *testing.T, test func(t *testing.T, c cloud)) {
	t.Helper()
	onAll(t, stores(t), func(t *testing.T, _ store, c cloud) { test(t, c) })
}

func onAll(t *testing.T, stores []store, test func(t *testing.T, s store, c cloud)) {
	t.Helper()
	for _, s := range stores {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			s.run(t, func(t *testing.T) { test(t, s, s.open(t)) })
		})
	}
}

// on is the storage section of blobdock on a bucket.
func on(t testing.TB, c cloud, bucket string) configuration.Storage {
	t.Helper()
	return blobdock(c.url(t, bucket))
}

// inParts is on with the smallest parts that all stores take, so that a blob of
// some MiB has several.
func inParts(t testing.TB, c cloud, bucket string) configuration.Storage {
	t.Helper()
	return blobdock(c.url(t, bucket) + smallParts)
}

const smallParts = "&part_size=5MiB"

// look opens a bucket to look at what is in it.
func look(t testing.TB, c cloud, bucket string) driver.Bucket {
	t.Helper()
	return open(t, c.url(t, bucket))
}

// edit opens a bucket to change what is in it. What the store throttles is sent again.
func edit(t testing.TB, c cloud, bucket string) driver.Bucket {
	t.Helper()
	return retry.Wrap(look(t, c, bucket), retry.Policy{})
}

// isGCS tells Google's store.
func isGCS(c cloud) bool {
	_, ok := c.(gcsCloud)
	return ok
}

// keepsSources tells the store whose emulator ignores that a finished upload's parts are
// to be deleted. Behind laws they are.
func keepsSources(c cloud) bool {
	g, ok := c.(gcsCloud)
	return ok && !g.lawful
}

// isAzure tells the store whose parts belong to a key, and not to an upload.
func isAzure(c cloud) bool {
	_, ok := c.(azureCloud)
	return ok
}

// underLaws tells a store that stands behind laws.
func underLaws(c cloud) bool {
	switch c := c.(type) {
	case s3Cloud:
		return c.lawful
	case gcsCloud:
		return c.lawful
	case azureCloud:
		return c.lawful
	default:
		return false
	}
}

// secretFile is a file of the test's own.
func secretFile(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "credentials")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
