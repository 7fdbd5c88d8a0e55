package drivertest

import (
	"testing"
	"time"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/fault"
	"github.com/blobdock/blobdock/driver/meter"
	"github.com/blobdock/blobdock/driver/retry"
)

// RunWrapped runs the suite through each wrapper, and through all of them: none
// may change what a bucket does or lose a feature.
func RunWrapped(t *testing.T, h Harness) {
	t.Helper()
	ignore := func(meter.Event) {}
	quick := retry.Policy{Base: time.Millisecond}
	for _, w := range []struct {
		name string
		wrap func(driver.Bucket) driver.Bucket
	}{
		{"retry", func(b driver.Bucket) driver.Bucket { return retry.Wrap(b, quick) }},
		{"meter", func(b driver.Bucket) driver.Bucket { return meter.Wrap(b, ignore) }},
		{"fault", func(b driver.Bucket) driver.Bucket { return fault.Wrap(b, nil) }},
		{"all", func(b driver.Bucket) driver.Bucket {
			return retry.Wrap(meter.Wrap(fault.Wrap(b, nil), ignore), quick)
		}},
	} {
		t.Run(w.name, func(t *testing.T) {
			wrapped := h
			wrapped.New = func(t testing.TB) driver.Bucket { return w.wrap(h.New(t)) }
			if h.Missing != nil {
				wrapped.Missing = func(t testing.TB) driver.Bucket { return w.wrap(h.Missing(t)) }
			}
			Run(t, wrapped)
		})
	}
}
