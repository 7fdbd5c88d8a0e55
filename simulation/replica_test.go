package simulation_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/distribution/distribution/v3/registry/handlers"
	"github.com/docker/go-events"
	"github.com/sirupsen/logrus"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/storm"
	"github.com/blobdock/blobdock/registry"
)

// partSize is small, so that a few kilobytes are several pieces.
const partSize = 4 << 10

// buckets are what the URL scheme "simulated" opens, by host.
var buckets sync.Map

func init() {
	driver.Register("simulated", func(_ context.Context, u *url.URL, _ *driver.Params) (func() (driver.Bucket, error), error) {
		b, ok := buckets.Load(u.Host)
		if !ok {
			return nil, fmt.Errorf("no bucket is simulated as %q", u.Host)
		}
		return func() (driver.Bucket, error) { return b.(driver.Bucket), nil }, nil
	})
	logrus.SetOutput(io.Discard)
}

// replica is a process of the registry.
type replica struct {
	*storm.Process
	http.Handler
	app  *handlers.App
	host string
	stop context.CancelFunc
}

// start makes a new process of replica i, as its nth.
func (s *sim) start(i, n int) {
	p := s.process(fmt.Sprintf("replica %d.%d", i, n))
	b := p.Bucket(s.bucket)
	if s.upgrade && n > 0 {
		b = newer(b)
		p.Name += " (newer)"
	}
	// One that can't look at its store when it starts ends, and is started again.
	var started atomic.Bool
	p.Weather = func(op driver.Op) storm.Weather {
		if !started.Load() {
			return storm.Weather{}
		}
		return s.forecast(op)
	}
	r := s.open(p, b)
	started.Store(true)
	p.OnKill = func() { s.start(i, n+1) }
	s.mu.Lock()
	defer s.mu.Unlock()
	s.replicas[i] = r
	s.all = append(s.all, r)
}

// open is the registry's application on a bucket.
func (s *sim) open(p *storm.Process, b driver.Bucket) *replica {
	host := fmt.Sprintf("%s-%d-%p", s.store, s.seed, p)
	buckets.Store(host, b)
	config := &configuration.Configuration{
		Storage: configuration.Storage{
			"blobdock": {"url": fmt.Sprintf("simulated://%s?memory_budget=16MiB&collection_wait=%s", host, s.wait)},
			"delete":   {"enabled": true},
			// Sweepers are processes of their own.
			"maintenance": {"uploadpurging": map[any]any{"enabled": false}},
		},
		Middleware: map[string][]configuration.Middleware{"registry": {{Name: "blobdock"}}},
	}
	config.HTTP.Secret = "shared by all replicas"
	ctx, stop := context.WithCancel(s.t.Context())
	app := handlers.NewApp(ctx, config)
	return &replica{p, registry.Handler(config, app), app, host, stop}
}

// close ends what a process has running, as its end would.
func (r *replica) close() {
	r.stop()
	_ = r.app.Shutdown()
	// Nothing of distribution ends the goroutine that sends notifications.
	sink := reflect.ValueOf(r.app).Elem().FieldByName("events").FieldByName("sink")
	_ = (*(*events.Sink)(unsafe.Pointer(sink.UnsafeAddr()))).Close()
	buckets.Delete(r.host)
}

// fresh is a process that has seen nothing yet, and which nothing happens to.
func (s *sim) fresh(b driver.Bucket) *replica {
	return s.open(&storm.Process{Name: "fresh"}, b)
}
