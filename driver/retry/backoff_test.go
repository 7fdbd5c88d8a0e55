package retry

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/blobdock/blobdock/driver"
)

func TestBackoff(t *testing.T) {
	after := func(kind driver.Kind, d time.Duration, keyOnly bool) error {
		return &driver.Error{Kind: kind, RetryAfter: d, KeyOnly: keyOnly}
	}
	tests := []struct {
		name   string
		policy Policy
		err    error
		waits  int           // until Wait gives up
		waited time.Duration // altogether
	}{
		{"outage", Policy{}, unreachable, 6, 6300 * time.Millisecond},
		{"an outcome that is unknown", Policy{}, lostReply, 6, 6300 * time.Millisecond},
		{"Attempts are not looked at", Policy{Attempts: 1}, unreachable, 6, 6300 * time.Millisecond},
		{"total", Policy{Total: time.Second}, unreachable, 3, 700 * time.Millisecond},
		{"the store asks", Policy{}, after(driver.Throttled, 3*time.Second, false), 3, 9350 * time.Millisecond},
		{"for a key", Policy{}, after(driver.Throttled, time.Second, true), 6, 9750 * time.Millisecond},
		{"for more than Total", Policy{}, after(driver.Unavailable, 11*time.Second, false), 0, 0},
		{"for more than MaxRetryAfter", Policy{Total: time.Hour}, after(driver.Throttled, 31*time.Second, false), 0, 0},
		{"refusal", Policy{}, denied, 0, 0},
		{"mismatch", Policy{}, driver.NewError(driver.OpPut, "k", driver.Mismatch), 0, 0},
		{"something else", Policy{}, errors.New("something else"), 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tt.policy.jitter = longest
				b := tt.policy.Backoff()
				began := time.Now()
				waits := 0
				for {
					err := b.Wait(t.Context(), tt.err)
					if err != nil {
						if err != tt.err { //nolint:errorlint // the very same is meant
							t.Errorf("got %v, want %v", err, tt.err)
						}
						break
					}
					waits++
				}
				if waited := time.Since(began); waits != tt.waits || waited != tt.waited {
					t.Errorf("%d waits of %v, want %d of %v", waits, waited, tt.waits, tt.waited)
				}
			})
		})
	}
}

// TestBackoffCountsWaitsOnly has work that takes long each time.
func TestBackoffCountsWaitsOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := Policy{}.Backoff()
		for range 5 {
			time.Sleep(time.Minute)
			if err := b.Wait(t.Context(), lostReply); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestBackoffContext(t *testing.T) {
	slow := &driver.Error{Op: driver.OpConcat, Key: "k", Kind: driver.Throttled, RetryAfter: 5 * time.Second, OutcomeUnknown: true}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		began := time.Now()
		err := Policy{}.Backoff().Wait(ctx, slow)
		var e *driver.Error
		if !errors.Is(err, context.Canceled) || !errors.Is(err, driver.Throttled) || !errors.As(err, &e) || e.Key != "k" || !e.OutcomeUnknown {
			t.Errorf("got %v", err)
		}
		if time.Since(began) != time.Second {
			t.Errorf("waited %v after the context had ended", time.Since(began)-time.Second)
		}
		if err := new(Policy).Backoff().Wait(ctx, slow); err != error(slow) { //nolint:errorlint // the very same is meant
			t.Errorf("with an ended context: %v", err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		if err := (Policy{}).Backoff().Wait(ctx, slow); err != error(slow) || time.Since(began) != 0 { //nolint:errorlint // the very same is meant
			t.Errorf("got %v after %v, want the store's error at once", err, time.Since(began))
		}
	})
}
