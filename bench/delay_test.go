package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"
)

func TestDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var served time.Duration
		began := time.Now()
		next := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { served = time.Since(began) })
		around := delay(20 * time.Millisecond)

		around(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil), next)
		if served != 20*time.Millisecond {
			t.Errorf("the store gets the request after %v, want 20ms", served)
		}

		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
		defer cancel()
		served, began = 0, time.Now()
		around(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil), next)
		if served != 0 || time.Since(began) != 5*time.Millisecond {
			t.Errorf("a client that gave up after 5ms: served after %v, let go after %v", served, time.Since(began))
		}
	})
}
