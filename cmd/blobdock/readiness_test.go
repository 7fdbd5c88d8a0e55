package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/mem"
)

// asked is a store that counts who asks, and answers what fails says.
func asked(n *atomic.Int64, fails func(context.Context) error) driver.Bucket {
	return driver.Wrap(mem.New(), func(ctx context.Context, _ *driver.Call, next func(context.Context) error) error {
		n.Add(1)
		if err := fails(ctx); err != nil {
			return err
		}
		return next(ctx)
	})
}

func ask(t *testing.T, r *readiness) (status int, body string) {
	t.Helper()
	w := httptest.NewRecorder()
	r.serveReady(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/readyz", nil))
	return w.Code, w.Body.String()
}

func TestReady(t *testing.T) {
	kind := func(k driver.Kind) func(context.Context) error {
		return func(context.Context) error {
			return &driver.Error{Op: driver.OpList, Key: "secret-key", Kind: k, Code: "secret code"}
		}
	}
	hangs := func(ctx context.Context) error {
		<-ctx.Done()
		return driver.NewError(driver.OpList, "", ctx.Err())
	}
	for _, tt := range []struct {
		name   string
		fails  func(context.Context) error
		status int
		body   string
	}{
		{"well", func(context.Context) error { return nil }, http.StatusOK, "ok\n"},
		{"throttled", kind(driver.Throttled), http.StatusOK, "ok\n"},
		{"refused", kind(driver.Denied), http.StatusServiceUnavailable, "storage: access denied\n"},
		{"away", kind(driver.Unavailable), http.StatusServiceUnavailable, "storage: store unavailable\n"},
		{"no bucket", kind(driver.NoBucket), http.StatusServiceUnavailable, "storage: no such bucket\n"},
		{"silent", hangs, http.StatusServiceUnavailable, "storage: store unavailable\n"},
	} {
		synctest.Test(t, func(t *testing.T) {
			var n atomic.Int64
			r := &readiness{bucket: asked(&n, tt.fails)}
			began := time.Now()
			if status, body := ask(t, r); status != tt.status || body != tt.body {
				t.Errorf("%s: %d %q, want %d %q", tt.name, status, body, tt.status, tt.body)
			}
			if took := time.Since(began); took > readyTime {
				t.Errorf("%s: answered after %v, want at most %v", tt.name, took, readyTime)
			}
		})
	}
}

// TestReadyAsksSeldom has many ask at once, and again and again.
func TestReadyAsksSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n atomic.Int64
		var down atomic.Bool
		r := &readiness{bucket: asked(&n, func(context.Context) error {
			time.Sleep(time.Second)
			if down.Load() {
				return driver.Unavailable
			}
			return nil
		})}
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				if status, _ := ask(t, r); status != http.StatusOK {
					t.Errorf("status %d", status)
				}
			})
		}
		wg.Wait()
		down.Store(true)
		time.Sleep(readyFor - time.Second)
		if status, _ := ask(t, r); status != http.StatusOK || n.Load() != 1 {
			t.Errorf("status %d, the store was asked %d times, want once", status, n.Load())
		}
		time.Sleep(time.Second)
		if status, _ := ask(t, r); status != http.StatusServiceUnavailable || n.Load() != 2 {
			t.Errorf("status %d %v after the store went away, which was asked %d times", status, readyFor, n.Load())
		}
		down.Store(false)
		time.Sleep(readyFor)
		if status, _ := ask(t, r); status != http.StatusOK {
			t.Errorf("status %d after the store came back", status)
		}
	})
}

// TestReadyImpatient has a probe that is given up leave the look to others.
func TestReadyImpatient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n atomic.Int64
		r := &readiness{bucket: asked(&n, func(context.Context) error { time.Sleep(2 * time.Second); return nil })}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := r.check(ctx); err == nil {
			t.Error("ready before the store has answered")
		}
		began := time.Now()
		if err := r.check(t.Context()); err != nil || time.Since(began) != time.Second || n.Load() != 1 {
			t.Errorf("%v after %v, the store was asked %d times", err, time.Since(began), n.Load())
		}
	})
}

func TestNotReadyWhileDraining(t *testing.T) {
	r := &readiness{bucket: mem.New()}
	if err := r.check(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.draining.Store(true)
	if status, body := ask(t, r); status != http.StatusServiceUnavailable || body != "the registry is stopping\n" {
		t.Errorf("%d %q", status, body)
	}
	w := httptest.NewRecorder()
	serveLive(w, httptest.NewRequest(http.MethodGet, "/livez", nil))
	if w.Code != http.StatusOK {
		t.Errorf("alive: %d", w.Code)
	}
}
