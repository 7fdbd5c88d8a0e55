package registry

import (
	"github.com/docker/go-metrics"

	"github.com/blobdock/blobdock/redirect"
)

// pulls are on the debug address of distribution's configuration, as
// blobdock_storage_pulls_total{redirect="signed"} and so on.
var pulls = newPulls()

func newPulls() metrics.LabeledCounter {
	ns := metrics.NewNamespace("blobdock", "storage", nil)
	c := ns.NewLabeledCounter("pulls", "GETs and HEADs of blobs, by whether they were redirected, or why not", "redirect")
	for _, r := range redirect.Reasons() {
		c.WithValues(string(r)).Inc(0)
	}
	metrics.Register(ns)
	return c
}

func countPull(r redirect.Reason) { pulls.WithValues(string(r)).Inc() }
