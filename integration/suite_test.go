//go:build !race

// Distribution's suite streams 5 GiB: it runs without the race detector, which
// make test has it do. Its stores share their random bytes, so that each has a
// process to itself.

package integration_test

import (
	"bytes"
	"flag"
	"os"
	"os/exec"
	"testing"

	storagedriver "github.com/distribution/distribution/v3/registry/storage/driver"
	"github.com/distribution/distribution/v3/registry/storage/driver/testsuites"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/integration/emulator"
	"github.com/blobdock/blobdock/registry"
)

// suiteVar names the store that a process of its own runs the suite on.
const suiteVar = "BLOBDOCK_TEST_SUITE"

// TestDistributionSuite runs distribution's own suite for storage drivers. In full runs
// MinIO, a directory and Azurite get its stream of 5 GiB as well, and so does a
// fake-gcs-server at BLOBDOCK_GCS_ENDPOINT: it keeps all data in memory, but started with
// -backend filesystem it has room for it.
//
// The suite waits for much of its time, but its stores can't share a process.
func TestDistributionSuite(t *testing.T) {
	t.Parallel()
	suites := map[string]func(*testing.T){
		"file": func(t *testing.T) {
			if !full() {
				brief(t)
			}
			storageDriver(t, open(t, "file://"+t.TempDir()))
		},
	}
	under := make(map[string]store)
	for _, s := range stores(t) {
		under[s.name] = s
		suites[s.name] = func(t *testing.T) {
			c := s.open(t)
			if !whole(c) {
				brief(t)
			}
			storageDriver(t, look(t, c, c.newBucket(t)))
		}
	}
	only := os.Getenv(suiteVar)
	for name, run := range suites {
		switch only {
		case name:
			t.Run(name, run)
		case "":
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				under[name].run(t, func(t *testing.T) { alone(t, name) })
			})
		}
	}
}

// alone runs the suite on one store in a process of its own.
func alone(t *testing.T, store string) {
	t.Helper()
	limit := "15m"
	if full() {
		limit = "1h" // Azurite takes long for 5 GiB
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestDistributionSuite$", "-test.v", "-test.timeout="+limit)
	cmd.Env = append(os.Environ(), suiteVar+"="+store)
	out, err := cmd.CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("--- PASS: TestDistributionSuite/"+store+"/TestStatCall")) {
		t.Errorf("%s: %v\n%s", store, err, out)
	}
	t.Logf("%d of the suite's tests passed", bytes.Count(out, []byte("--- PASS: TestDistributionSuite/"+store+"/")))
}

// whole tells whether a store takes 5 GiB.
func whole(c cloud) bool {
	if !full() || underLaws(c) {
		return false
	}
	g, ok := c.(gcsCloud)
	return !ok || g.Way == emulator.Environment
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
