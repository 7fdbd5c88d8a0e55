package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/distribution/distribution/v3/health"
	"golang.org/x/sync/singleflight"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/meter"
	blobdock "github.com/blobdock/blobdock/registry"
)

const (
	// readyFor is how long what a look at the store found counts: however many ask,
	// the store is asked no more often.
	readyFor = 5 * time.Second
	// readyTime bounds a look at the store. Kubernetes' own default for a probe, of
	// one second, is shorter.
	readyTime = 3 * time.Second
)

// readiness tells whether requests should be sent here.
type readiness struct {
	bucket   driver.Bucket // nil where the store is none of blobdock's
	draining atomic.Bool

	turn singleflight.Group
	mu   sync.Mutex
	last verdict
}

// verdict is what a look at the store found.
type verdict struct {
	err error
	at  time.Time // zero before the first
}

// newReadiness opens the store by a handle of its own, which it does not close.
func newReadiness(ctx context.Context, config *configuration.Configuration) (*readiness, error) {
	if config.Storage.Type() != blobdock.Name {
		return new(readiness), nil
	}
	c, err := blobdock.ParseConfig(config.Storage.Parameters())
	if err != nil {
		return nil, err
	}
	b, err := c.OpenBucket(ctx)
	if err != nil {
		return nil, err
	}
	return &readiness{bucket: b}, nil
}

var errDraining = errors.New("the registry is stopping")

// check is nil when requests should come. Its errors name no more than a kind of
// failure: whoever reaches the debug address may read them.
func (r *readiness) check(ctx context.Context) error {
	if r.draining.Load() {
		return errDraining
	}
	// What distribution watches has it refuse every request.
	if failing := health.CheckStatus(ctx); len(failing) > 0 {
		return fmt.Errorf("failing: %s", strings.Join(slices.Sorted(maps.Keys(failing)), ", "))
	}
	if err := r.store(ctx); err != nil {
		return fmt.Errorf("storage: %s", meter.Outcome(err))
	}
	return nil
}

// store looks at the store, or says what the last look found.
func (r *readiness) store(ctx context.Context) error {
	if r.bucket == nil {
		return nil
	}
	r.mu.Lock()
	last := r.last
	r.mu.Unlock()
	if !last.at.IsZero() && time.Since(last.at) < readyFor {
		return last.err
	}
	// All who ask at once wait for one look, which none of them can cut short.
	look := r.turn.DoChan("", func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readyTime)
		defer cancel()
		err := r.look(ctx)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.last = verdict{err, time.Now()}
		return nil, err
	})
	select {
	case got := <-look:
		return got.Err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// look asks the store for one key. A store that asks to slow down is there: to send
// requests elsewhere, where the same store is, would help nobody.
func (r *readiness) look(ctx context.Context) error {
	_, err := r.bucket.ListPage(ctx, driver.ListRequest{Limit: 1})
	switch {
	case errors.Is(err, driver.Throttled):
		return nil
	case ctx.Err() != nil:
		return driver.Unavailable // it does not answer
	default:
		return err
	}
}

// serveReady answers 200, or 503 with the reason.
func (r *readiness) serveReady(w http.ResponseWriter, req *http.Request) {
	answer(w, r.check(req.Context()))
}

// serveLive answers 200 for as long as the process answers at all: no state of the
// store is cured by starting it anew.
func serveLive(w http.ResponseWriter, _ *http.Request) { answer(w, nil) }

func answer(w http.ResponseWriter, err error) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	if err != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprintln(w, err)
		return
	}
	fmt.Fprintln(w, "ok")
}
