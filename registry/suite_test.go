//go:build !race

// Distribution's suite streams 5 GiB. In memory, the race detector would need
// several times that beside it; make test runs this file without.

package registry_test

import (
	"flag"
	"os"
	"runtime/debug"
	"testing"

	storagedriver "github.com/distribution/distribution/v3/registry/storage/driver"
	"github.com/distribution/distribution/v3/registry/storage/driver/testsuites"

	"github.com/blobdock/blobdock/driver/mem"
)

// TestDistributionSuite runs distribution's own suite for storage drivers, its 5 GiB in full
// runs only.
func TestDistributionSuite(t *testing.T) {
	if os.Getenv("BLOBDOCK_TEST_FULL") == "" {
		short := flag.Lookup("test.short").Value
		before := short.String()
		if err := short.Set("true"); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = short.Set(before) })
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		defer debug.SetMemoryLimit(debug.SetMemoryLimit(8 << 30)) // garbage would add up to three times as much
	}
	testsuites.Driver(t, func() (storagedriver.StorageDriver, error) {
		return newDriver(t, mem.New()), nil
	}, false)
}
