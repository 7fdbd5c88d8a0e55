package registry

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
)

// openStores are the stores of this process that are open. As a collector of metrics
// they tell what all of them hold together.
type openStores struct {
	used, budget, waiting, uploads *prometheus.Desc

	mu   sync.Mutex
	open map[*blobstore.Store]struct{}
}

func newOpenStores() *openStores {
	desc := func(name, help string) *prometheus.Desc { return prometheus.NewDesc(Name+"_"+name, help, nil, nil) }
	return &openStores{
		used:    desc("memory_used_bytes", "Bytes of part buffers in use."),
		budget:  desc("memory_budget_bytes", "Bytes that part buffers may take."),
		waiting: desc("memory_waiters", "Uploads that wait for a part buffer."),
		uploads: desc("uploads_open", "Uploads that a request of this process works on."),
	}
}

// Describe implements prometheus.Collector.
func (o *openStores) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{o.used, o.budget, o.waiting, o.uploads} {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (o *openStores) Collect(to chan<- prometheus.Metric) {
	var sum blobstore.Usage
	o.mu.Lock()
	for s := range o.open {
		u := s.Usage()
		sum.Memory += u.Memory
		sum.Budget += u.Budget
		sum.Waiting += u.Waiting
		sum.Uploads += u.Uploads
	}
	o.mu.Unlock()
	gauge := func(d *prometheus.Desc, v int64) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(v))
	}
	gauge(o.used, sum.Memory)
	gauge(o.budget, sum.Budget)
	gauge(o.waiting, sum.Waiting)
	gauge(o.uploads, sum.Uploads)
}

func (o *openStores) add(s *blobstore.Store) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.open == nil {
		o.open = make(map[*blobstore.Store]struct{})
	}
	o.open[s] = struct{}{}
}

func (o *openStores) remove(s *blobstore.Store) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.open, s)
}

// closing tells when a bucket is closed.
type closing struct {
	driver.Bucket
	closed func()
}

func (c *closing) Close() error {
	c.closed()
	return c.Bucket.Close()
}
