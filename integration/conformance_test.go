package integration_test

import (
	"slices"
	"testing"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/drivertest"
	"github.com/blobdock/blobdock/integration/emulator"
	"github.com/blobdock/blobdock/integration/verify"
)

// harness is the conformance suite's way to buckets of a store, counted.
func harness(t *testing.T, c cloud) drivertest.Harness {
	t.Helper()
	c, proxy := c.through(t)
	h := drivertest.Harness{
		New:      func(t testing.TB) driver.Bucket { return look(t, c, c.newBucket(t)) },
		Missing:  func(t testing.TB) driver.Bucket { return look(t, c, "blobdock-no-such-bucket") },
		Golden:   "testdata",
		Requests: func() int64 { return int64(proxy.Counts().Requests()) },
	}
	switch c := c.(type) {
	case s3Cloud:
		h.Name, h.ListsUploadsByKey = "s3-"+c.profile, !c.lawful
		if c.lawful && c.profile == "ceph" {
			h.Exceptions = verify.CopiesAnyVersion // what Ceph itself gets wrong beside is no law
		}
		if c.learned != nil {
			h.Name = "s3-unknown"
		}
	case gcsCloud:
		h.Name, h.Exceptions = "gcs", gcsExceptions
		if c.lawful {
			h.Exceptions = verify.Exceptions("gcs")
		}
	case azureCloud:
		h.Name, h.Costs, h.Exceptions = "azure", azureCosts, azureExceptions
		if c.lawful {
			h.Exceptions = lawfulAzureExceptions
		}
	}
	return h
}

// TestDriver runs the conformance suite of blobdock's own contract: with what is
// known of each store, and on MinIO also as one that nothing is known of.
func TestDriver(t *testing.T) {
	t.Parallel()
	onAll(t, clouds, func(t *testing.T, _ store, c cloud) {
		h := harness(t, c)
		h.Steps = 80 // the walk is longer on buckets in memory
		if full() {
			h.Steps = 150
		}
		drivertest.Run(t, h)
	})
	t.Run("s3-generic", func(t *testing.T) {
		t.Parallel()
		h := harness(t, s3Cloud{S3: emulator.Start(t), profile: "generic"})
		h.Steps, h.Brief = 50, true
		drivertest.Run(t, h)
	})
	t.Run("azure-older", func(t *testing.T) {
		t.Parallel()
		h := harness(t, azureCloud{Azure: emulator.StartAzure(t), prefix: "//older"})
		h.Steps, h.Brief, h.MaxKey = 50, true, driver.MaxKey-len("/older/")
		drivertest.Run(t, h)
	})
}

// TestDriverUnderLaws runs it behind the laws of each store; those of Amazon's, Google's and
// Microsoft's in each run, those of all stores in full runs.
func TestDriverUnderLaws(t *testing.T) {
	t.Parallel()
	under := lawful(unhurried())
	if !full() {
		under = slices.DeleteFunc(under, func(s store) bool { return !slices.Contains([]string{"s3-aws", "gcs-laws", "azure-laws"}, s.name) })
	}
	onAll(t, under, func(t *testing.T, s store, c cloud) {
		h := harness(t, c)
		h.Steps = 150
		if !full() {
			h.Steps, h.Brief = 30, true
		}
		h.Around = s.run
		drivertest.Run(t, h)
	})
}

// TestDriverWrapped runs it through every wrapper, all of them at once; in full runs on all
// stores. Through each by itself it runs on buckets in memory.
func TestDriverWrapped(t *testing.T) {
	t.Parallel()
	wrapped := clouds[:1]
	if full() {
		wrapped = storesWith(t, unhurried())
	}
	onAll(t, wrapped, func(t *testing.T, s store, c cloud) {
		h := harness(t, c)
		h.Steps, h.Brief = 50, true // TestDriver has the rest
		h.Around = s.run
		drivertest.RunStacked(t, h)
	})
}
