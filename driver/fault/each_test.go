package fault_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/fault"
	"github.com/blobdock/blobdock/driver/mem"
)

// TestPoints plays all ways to fail on a put and a read of what it put.
func TestPoints(t *testing.T) {
	outcome := map[string]string{}
	trial := func(testing.TB) fault.Trial {
		store := mem.New()
		var got string
		return fault.Trial{
			Bucket: store,
			Run: func(b driver.Bucket) (err error) {
				ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
				defer cancel()
				if err := putWith(ctx, b, "a"); err != nil {
					return err
				}
				got, err = readWith(ctx, b, "a")
				return err
			},
			Check: func(t *testing.T, p fault.Point, err error) {
				cause := "fails"
				switch {
				case err == nil:
					cause = "succeeds"
				case driver.IsContextError(err):
					cause = "ends"
				case errors.Is(err, driver.Throttled):
					cause = "throttled"
				}
				if driver.OutcomeUnknown(err) {
					cause += ", perhaps"
				}
				outcome[p.String()] = stored(t, store, "a") + " " + got + " " + cause
			},
		}
	}
	var names []string
	for _, p := range fault.Points(t, fault.Failures, trial) {
		t.Run(p.String(), func(t *testing.T) { p.Play(t, trial(t)) })
		names = append(names, p.String())
	}
	half := text[:len(text)/2]
	want := map[string]string{
		"01-put-1-before":      "-  fails",
		"01-put-1-after":       text + "  fails, perhaps",
		"01-put-1-mid-body":    "-  fails",
		"01-put-1-throttled":   "-  throttled",
		"01-put-1-late":        "-  ends",
		"01-put-1-late-answer": text + "  ends, perhaps",
		"02-open-1-before":     text + "  fails",
		"02-open-1-mid-body":   text + " " + half + " fails",
		"02-open-1-throttled":  text + "  throttled",
		"02-open-1-truncated":  text + " " + half + " succeeds",
		"02-open-1-late":       text + "  ends",
	}
	for name, want := range want {
		if got := outcome[name]; got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if len(names) != len(want) {
		t.Errorf("points: %q, want %d", slices.Sorted(slices.Values(names)), len(want))
	}
}
