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
	mu   sync.Mutex
	open map[*blobstore.Store]struct{}
}

var (
	usedDesc    = prometheus.NewDesc(Name+"_memory_used_bytes", "Bytes of part buffers in use.", nil, nil)
	budgetDesc  = prometheus.NewDesc(Name+"_memory_budget_bytes", "Bytes that part buffers may take.", nil, nil)
	waitingDesc = prometheus.NewDesc(Name+"_memory_waiters", "Uploads that wait for a part buffer.", nil, nil)
	uploadsDesc = prometheus.NewDesc(Name+"_uploads_open", "Uploads that a request of this process works on.", nil, nil)
)

// Describe implements prometheus.Collector.
func (e *openStores) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{usedDesc, budgetDesc, waitingDesc, uploadsDesc} {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (e *openStores) Collect(to chan<- prometheus.Metric) {
	var sum blobstore.Usage
	e.mu.Lock()
	for s := range e.open {
		u := s.Usage()
		sum.Memory += u.Memory
		sum.Budget += u.Budget
		sum.Waiting += u.Waiting
		sum.Uploads += u.Uploads
	}
	e.mu.Unlock()
	gauge := func(d *prometheus.Desc, v int64) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(v))
	}
	gauge(usedDesc, sum.Memory)
	gauge(budgetDesc, sum.Budget)
	gauge(waitingDesc, sum.Waiting)
	gauge(uploadsDesc, sum.Uploads)
}

func (e *openStores) add(s *blobstore.Store) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.open == nil {
		e.open = make(map[*blobstore.Store]struct{})
	}
	e.open[s] = struct{}{}
}

func (e *openStores) remove(s *blobstore.Store) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.open, s)
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
