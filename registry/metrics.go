package registry

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/meter"
	"github.com/blobdock/blobdock/gc"
	"github.com/blobdock/blobdock/redirect"
	"github.com/blobdock/blobdock/usage"
)

// What the process counts stands with distribution's own metrics, on the debug
// address of its configuration. Labels have few values: never a key, repository or
// client. The stores of one process are told apart by provider alone; docs/monitoring.md
// describes all metrics.
var metrics = newMetrics(prometheus.DefaultRegisterer)

// processMetrics are those of all stores of a process.
type processMetrics struct {
	requests             *prometheus.CounterVec   // provider, op, outcome
	seconds              *prometheus.HistogramVec // provider, op
	sent                 *prometheus.CounterVec   // provider
	received             *prometheus.CounterVec   // provider
	retries              *prometheus.CounterVec   // provider, op, cause
	signed               *prometheus.CounterVec   // outcome
	pulls                *prometheus.CounterVec   // redirect
	collections, garbage *prometheus.CounterVec
	garbageBytes         prometheus.Counter
	sweeps               *prometheus.CounterVec // outcome
	removed              *prometheus.CounterVec // kind
	swept                prometheus.Gauge
	usage                *prometheus.GaugeVec // what
	accounted            prometheus.Gauge
	stores               *openStores
}

// latencies are from what a store in the same rack needs for a small object to what
// a part of many MiB may take.
var latencies = []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}

func newMetrics(r prometheus.Registerer) *processMetrics {
	metric := promauto.With(r)
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return metric.NewCounterVec(prometheus.CounterOpts{Namespace: Name, Name: name, Help: help}, labels)
	}
	m := &processMetrics{
		requests: counter("storage_requests_total", "Calls to the store, each repetition included, by how they ended.", "provider", "op", "outcome"),
		seconds: metric.NewHistogramVec(prometheus.HistogramOpts{Namespace: Name, Name: "storage_request_duration_seconds",
			Help: "How long calls to the store took; those that open an object, until its first byte.", Buckets: latencies}, []string{"provider", "op"}),
		sent:         counter("storage_sent_bytes_total", "Bytes of content that the store took.", "provider"),
		received:     counter("storage_received_bytes_total", "Bytes of content that came from the store.", "provider"),
		retries:      counter("storage_retries_total", "Calls to the store that were made once more, by why.", "provider", "op", "cause"),
		signed:       counter("storage_signed_urls_total", "URLs that were signed; pulls that reuse one are not in here.", "outcome"),
		pulls:        counter("storage_pulls_total", "GETs and HEADs of blobs, by whether they were redirected, or why not.", "redirect"),
		collections:  counter("gc_total", "Garbage collections that have ended.", "outcome"),
		garbage:      counter("gc_objects_total", "What garbage collections have done with unused objects.", "fate"),
		garbageBytes: metric.NewCounter(prometheus.CounterOpts{Namespace: Name, Name: "gc_deleted_bytes_total", Help: "Bytes of blobs that garbage collections have deleted."}),
		sweeps:       counter("sweeps_total", "Sweeps for abandoned uploads that have ended.", "outcome"),
		removed:      counter("sweep_removed_total", "What sweeps have removed.", "kind"),
		swept: metric.NewGauge(prometheus.GaugeOpts{Namespace: Name, Name: "sweep_last_success_timestamp_seconds",
			Help: "When the last sweep ended that failed nowhere; 0 before the first."}),
		usage: metric.NewGaugeVec(prometheus.GaugeOpts{Namespace: Name, Name: "usage_bytes",
			Help: "Bytes in the bucket when it was last counted by this process; 0 before the first time."}, []string{"what"}),
		accounted: metric.NewGauge(prometheus.GaugeOpts{Namespace: Name, Name: "usage_last_success_timestamp_seconds",
			Help: "When this process has last counted what is in the bucket; 0 before the first time."}),
		stores: newOpenStores(),
	}
	for _, reason := range redirect.Reasons() {
		m.pulls.WithLabelValues(string(reason))
	}
	for _, outcome := range []string{"ok", "failed"} {
		m.sweeps.WithLabelValues(outcome)
		m.collections.WithLabelValues(outcome)
	}
	for _, fate := range []gc.Fate{gc.Deleted, gc.Rescued} {
		m.garbage.WithLabelValues(string(fate))
	}
	for _, kind := range []blobstore.OrphanKind{blobstore.OrphanUpload, blobstore.OrphanFolder, blobstore.OrphanParts} {
		m.removed.WithLabelValues(string(kind))
	}
	m.setUsage(usage.Report{})
	r.MustRegister(m.stores)
	return m
}

// observe counts the calls to b. A signature is no request.
func (m *processMetrics) observe(b driver.Bucket) driver.Bucket {
	provider := b.Features().Name
	sent, received := m.sent.WithLabelValues(provider), m.received.WithLabelValues(provider)
	return meter.Wrap(b, func(e meter.Event) {
		if e.Op == driver.OpSign {
			m.sign(e.Err)
			return
		}
		m.requests.WithLabelValues(provider, string(e.Op), e.Outcome()).Inc()
		m.seconds.WithLabelValues(provider, string(e.Op)).Observe(e.Duration.Seconds())
		if e.Err == nil {
			sent.Add(float64(e.Size))
		}
		received.Add(float64(e.Received))
	})
}

func (m *processMetrics) sign(err error) { m.signed.WithLabelValues(meter.Outcome(err)).Inc() }

// options has an engine on a provider's store count what only it knows, beside
// telling whom o tells.
func (m *processMetrics) options(o blobstore.Options, provider string) blobstore.Options {
	served, onRetry, sign := o.OnServed, o.Retry.OnRetry, o.Signer
	o.OnServed = func(r redirect.Reason) {
		m.pulls.WithLabelValues(string(r)).Inc()
		if served != nil {
			served(r)
		}
	}
	o.Retry.OnRetry = func(op driver.Op, key string, attempt int, err error) {
		m.retries.WithLabelValues(provider, string(op), meter.Outcome(err)).Inc()
		if onRetry != nil {
			onRetry(op, key, attempt, err)
		}
	}
	if sign != nil {
		o.Signer = func(ctx context.Context, r driver.SignRequest) (driver.SignedURL, error) {
			u, err := sign(ctx, r)
			m.sign(err)
			return u, err
		}
	}
	return o
}

// collected counts a garbage collection that has ended.
func (m *processMetrics) collected(s gc.Summary, err error) {
	m.garbage.WithLabelValues(string(gc.Deleted)).Add(float64(s.Deleted))
	m.garbage.WithLabelValues(string(gc.Rescued)).Add(float64(s.Rescued))
	m.garbageBytes.Add(float64(s.DeletedBytes))
	outcome := "ok"
	if err != nil {
		outcome = "failed"
	}
	m.collections.WithLabelValues(outcome).Inc()
}

// account keeps what was counted, unless it failed.
func (m *processMetrics) account(r usage.Report, err error) {
	if err == nil {
		m.setUsage(r)
		m.accounted.Set(float64(time.Now().Unix()))
	}
}

func (m *processMetrics) setUsage(r usage.Report) {
	all := r.All()
	for what, n := range map[string]int64{
		"total": r.Total().Bytes, "blobs": r.Blobs.Bytes, "logical": all.Logical, "deduplicated": all.Deduplicated(), "untagged": r.Untagged.Only.Bytes,
		"reclaimable": r.Reclaimable.Old.Bytes, "young": r.Reclaimable.Young.Bytes, "uploads": r.Uploads.Stored.Bytes, "abandoned": r.Uploads.Reclaimable.Bytes,
	} {
		m.usage.WithLabelValues(what).Set(float64(n))
	}
}

// sweep counts a sweep that has ended.
func (m *processMetrics) sweep(result blobstore.SweepResult, dryRun bool, err error) {
	if !dryRun {
		m.removed.WithLabelValues(string(blobstore.OrphanUpload)).Add(float64(result.Uploads))
		m.removed.WithLabelValues(string(blobstore.OrphanFolder)).Add(float64(result.Folders))
		m.removed.WithLabelValues(string(blobstore.OrphanParts)).Add(float64(result.Parts))
	}
	if err != nil {
		m.sweeps.WithLabelValues("failed").Inc()
		return
	}
	m.sweeps.WithLabelValues("ok").Inc()
	m.swept.Set(float64(time.Now().Unix()))
}
