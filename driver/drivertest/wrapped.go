package drivertest

import (
	"testing"
	"time"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/fault"
	"github.com/blobdock/blobdock/driver/limit"
	"github.com/blobdock/blobdock/driver/meter"
	"github.com/blobdock/blobdock/driver/retry"
)

// RunWrapped runs the suite through each wrapper, and through all of them: none
// may change what a bucket does or lose a feature.
func RunWrapped(t *testing.T, h Harness) {
	t.Helper()
	for _, w := range []struct {
		name string
		wrap func(driver.Bucket) driver.Bucket
	}{{"retry", retried}, {"limit", limited}, {"meter", metered}, {"fault", faulty}, {"all", stacked}} {
		t.Run(w.name, func(t *testing.T) { Run(t, h.through(w.wrap)) })
	}
}

// RunStacked is RunWrapped through all wrappers at once and no more, for stores on
// which the suite takes long.
func RunStacked(t *testing.T, h Harness) {
	t.Helper()
	Run(t, h.through(stacked))
}

func retried(b driver.Bucket) driver.Bucket {
	return retry.Wrap(b, retry.Policy{Base: time.Millisecond})
}

func metered(b driver.Bucket) driver.Bucket { return meter.Wrap(b, func(meter.Event) {}) }

func faulty(b driver.Bucket) driver.Bucket { return fault.Wrap(b, nil) }

func limited(b driver.Bucket) driver.Bucket { return limit.Wrap(b, limit.Options{Calls: 4}) }

func stacked(b driver.Bucket) driver.Bucket { return retried(limited(metered(faulty(b)))) }

// through is h with a wrapper around its buckets.
func (h Harness) through(wrap func(driver.Bucket) driver.Bucket) Harness {
	wrapped := h
	wrapped.New = func(t testing.TB) driver.Bucket { return wrap(h.New(t)) }
	if h.Missing != nil {
		wrapped.Missing = func(t testing.TB) driver.Bucket { return wrap(h.Missing(t)) }
	}
	return wrapped
}
