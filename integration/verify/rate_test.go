package verify

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/mem"
)

// limited is a bucket that takes 10 ms for a write, and after the first burst writes one
// write a second. It refuses others as R2 does: by status 429, with a code that says
// nothing of it.
func limited(burst int) driver.Bucket {
	tokens, at := float64(burst), time.Now()
	return driver.Wrap(mem.New(), func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
		if !c.Op.Changes() {
			return next(ctx)
		}
		time.Sleep(10 * time.Millisecond)
		now := time.Now()
		tokens = min(float64(burst), tokens+now.Sub(at).Seconds())
		if at = now; tokens < 1 {
			return &driver.Error{Op: c.Op, Key: c.Key, Kind: driver.Unavailable, Status: http.StatusTooManyRequests, Code: "ServiceUnavailable"}
		}
		tokens--
		return next(ctx)
	})
}

func TestRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &asker{Bucket: limited(5), requests: new(requests)}
		f, err := a.putRate(t.Context(), "rate")
		if err != nil || f.found != "throttled" || f.status != http.StatusTooManyRequests || f.code != "ServiceUnavailable" ||
			!strings.Contains(f.detail, "the first 5 of ") {
			t.Errorf("%+v, %v", f, err)
		}
		if !strings.HasSuffix(f.detail, "then 1.0 per second") && !strings.HasSuffix(f.detail, "then 0.8 per second") {
			t.Errorf("steady rate: %s", f.detail)
		}
		time.Sleep(time.Minute)
		a.Bucket = limited(2)
		if f, err = a.deleteRate(t.Context(), "delete"); err != nil || f.found != "throttled" || f.detail != "the write after the deletion is" {
			t.Errorf("%+v, %v", f, err)
		}
		a.Bucket = mem.New()
		for name, ask := range map[string]func(context.Context, string) (finding, error){"put": a.putRate, "delete": a.deleteRate} {
			if f, err := ask(t.Context(), name); err != nil || f.found != notThrottled {
				t.Errorf("%s: %+v, %v", name, f, err)
			}
		}
	})
}

// TestPatient repeats what a store throttles, and counts the repetitions apart.
func TestPatient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := new(requests)
		b := r.patient(limited(1))
		for range 4 {
			if _, err := b.Put(t.Context(), "key", section([]byte("x")), driver.WriteOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		// A write passes 1.5 s after the one before: 0.1, 0.2 and 0.4 s are too short a wait.
		if got := r.throttled.Load(); got != 3*4 {
			t.Errorf("%d throttled, want 12", got)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := b.Put(ctx, "key", section([]byte("x")), driver.WriteOptions{}); err == nil {
			t.Error("an ended context waits for the store")
		}
	})
}
