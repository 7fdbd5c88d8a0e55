package gcs_test

import (
	"crypto/rand"
	"strings"
	"testing"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/drivertest"
	"github.com/blobdock/blobdock/gcs"
)

func open(t testing.TB, c gcs.Config) *gcs.Bucket {
	t.Helper()
	b, err := gcs.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

// harness is the conformance suite's way to the fake.
func harness(t *testing.T, prefix string) drivertest.Harness {
	f := newFake(t)
	key := newKey(t)
	at := func(t testing.TB, bucket string) driver.Bucket {
		return open(t, gcs.Config{Bucket: bucket, Prefix: prefix, Endpoint: f.URL, CredentialsFile: key.file})
	}
	h := drivertest.Harness{
		New: func(t testing.TB) driver.Bucket {
			name := strings.ToLower(rand.Text())
			f.addBucket(name)
			return at(t, name)
		},
		Missing:  func(t testing.TB) driver.Bucket { return at(t, "no-such-bucket") },
		Golden:   "testdata",
		Requests: f.requests.Load,
	}
	if prefix != "" {
		h.MaxKey = driver.MaxKey - len(prefix) - 1
	}
	return h
}

func TestConformance(t *testing.T) {
	drivertest.Run(t, harness(t, ""))
}

func TestConformancePrefix(t *testing.T) {
	h := harness(t, "some/prefix")
	h.Steps, h.Brief = 50, true // TestConformance has the rest
	drivertest.Run(t, h)
}
