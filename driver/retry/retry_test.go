package retry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/mem"
)

var (
	throttled   = &driver.Error{Op: "x", Kind: driver.Throttled}
	unreachable = &driver.Error{Op: "x", Kind: driver.Unavailable}
	lostReply   = &driver.Error{Op: "x", Kind: driver.Unavailable, OutcomeUnknown: true}
	conflict    = &driver.Error{Op: "x", Kind: driver.Unavailable, Status: 409} // nothing was done
	denied      = &driver.Error{Op: "x", Kind: driver.Denied}
	damaged     = &driver.Error{Op: "x", Kind: driver.Corrupt, Status: 400}
	wrongSum    = &driver.Error{Op: "x", Kind: driver.Corrupt}
)

// longest makes every wait as long as it may be.
func longest(bound time.Duration) time.Duration { return bound }

// play calls around with a call whose attempts end with errs, and then succeed.
func play(ctx context.Context, p Policy, c *driver.Call, errs ...error) (attempts int, err error) {
	err = p.withDefaults().around(ctx, c, func(context.Context) error {
		attempts++
		if attempts <= len(errs) {
			return errs[attempts-1]
		}
		return nil
	})
	return attempts, err
}

func repeat(err error, n int) []error {
	errs := make([]error, n)
	for i := range errs {
		errs[i] = err
	}
	return errs
}

func TestWhatIsRepeated(t *testing.T) {
	cond := driver.Cond{IfAbsent: true}
	tests := []struct {
		call driver.Call
		err  error
		want bool
	}{
		{driver.Call{Op: driver.OpStat}, throttled, true},
		{driver.Call{Op: driver.OpPut, Cond: cond}, throttled, true},
		{driver.Call{Op: driver.OpCompleteUpload}, throttled, true},

		{driver.Call{Op: driver.OpPut, Cond: cond}, unreachable, true},
		{driver.Call{Op: driver.OpCompleteUpload}, unreachable, true},

		{driver.Call{Op: driver.OpStat}, lostReply, true},
		{driver.Call{Op: driver.OpOpen}, lostReply, true},
		{driver.Call{Op: driver.OpList}, lostReply, true},
		{driver.Call{Op: driver.OpListUploads}, lostReply, true},
		{driver.Call{Op: driver.OpSign}, lostReply, true},
		{driver.Call{Op: driver.OpPut}, lostReply, true},
		{driver.Call{Op: driver.OpDelete}, lostReply, true},
		{driver.Call{Op: driver.OpDeleteBatch}, lostReply, true},
		{driver.Call{Op: driver.OpCreateUpload}, lostReply, true},
		{driver.Call{Op: driver.OpPutPart}, lostReply, true},
		{driver.Call{Op: driver.OpCopyPart}, lostReply, true},
		{driver.Call{Op: driver.OpAbortUpload}, lostReply, true},
		{driver.Call{Op: driver.OpCopy}, lostReply, true},
		{driver.Call{Op: driver.OpConcat}, lostReply, true},
		{driver.Call{Op: driver.OpConcat, Consumes: true}, lostReply, false},
		{driver.Call{Op: driver.OpConcat, Consumes: true}, throttled, true},
		{driver.Call{Op: driver.OpConcat, Cond: cond}, lostReply, false},
		{driver.Call{Op: driver.OpPut, Cond: cond}, conflict, true},
		{driver.Call{Op: driver.OpCopy, Cond: cond}, conflict, true},
		{driver.Call{Op: driver.OpPut, Cond: cond}, lostReply, false},
		{driver.Call{Op: driver.OpPut, Cond: driver.Cond{IfMatch: "x"}}, lostReply, false},
		{driver.Call{Op: driver.OpCopy, Cond: cond}, lostReply, false},
		{driver.Call{Op: driver.OpCompleteUpload}, lostReply, false},

		{driver.Call{Op: driver.OpPut}, damaged, true},
		{driver.Call{Op: driver.OpPutPart}, damaged, true},
		{driver.Call{Op: driver.OpCompleteUpload}, damaged, false},
		{driver.Call{Op: driver.OpPut}, wrongSum, false},

		{driver.Call{Op: driver.OpStat}, denied, false},
		{driver.Call{Op: driver.OpStat}, errors.New("something else"), false},
		{driver.Call{Op: driver.OpStat}, driver.NewError(driver.OpStat, "k", driver.NotFound), false},
		{driver.Call{Op: driver.OpPut}, driver.NewError(driver.OpPut, "k", driver.Exists), false},
	}
	for _, tt := range tests {
		name := fmt.Sprintf("%s/%v/mayhave=%t/cond=%t/consumes=%t", tt.call.Op, driver.KindOf(tt.err), driver.OutcomeUnknown(tt.err), !tt.call.Cond.IsZero(), tt.call.Consumes)
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				attempts, err := play(t.Context(), Policy{}, &tt.call, tt.err)
				if got := attempts == 2; got != tt.want || (err == nil) != tt.want {
					t.Errorf("%d attempts and %v, want a second one: %t", attempts, err, tt.want)
				}
			})
		})
	}
}

func TestAttemptsAndWaits(t *testing.T) {
	tests := []struct {
		name     string
		policy   Policy
		err      error
		attempts int
		waits    time.Duration // at most
	}{
		{"fault", Policy{}, unreachable, 7, 6300 * time.Millisecond},
		{"throttling", Policy{}, throttled, 7, 6300 * time.Millisecond},
		{"fault with Attempts", Policy{Attempts: 3}, unreachable, 3, 300 * time.Millisecond},
		{"throttling with Attempts", Policy{Attempts: 3}, throttled, 3, 300 * time.Millisecond},
		{"throttling apart", Policy{Attempts: 1, Throttled: 2}, throttled, 2, 100 * time.Millisecond},
		{"never", Policy{Attempts: 1}, unreachable, 1, 0},
		{"damage", Policy{}, damaged, 2, 100 * time.Millisecond},
		{"bounded wait", Policy{Attempts: 10, Base: time.Second, Max: 2 * time.Second}, unreachable, 6, 9 * time.Second},
		{"bounded total", Policy{Attempts: 100, Total: time.Second}, unreachable, 4, 700 * time.Millisecond},
		{"what the store asks for", Policy{}, &driver.Error{Kind: driver.Throttled, RetryAfter: 4 * time.Second}, 3, 8150 * time.Millisecond},
		{"a key's own limit", Policy{}, &driver.Error{Kind: driver.Throttled, KeyOnly: true, RetryAfter: time.Second}, 7, 9750 * time.Millisecond},
		{"more than there is time", Policy{}, &driver.Error{Kind: driver.Throttled, RetryAfter: time.Minute}, 1, 0},
		{"more than anybody waits", Policy{Total: time.Hour}, &driver.Error{Kind: driver.Unavailable, RetryAfter: 31 * time.Second}, 1, 0},
		{"more than some wait", Policy{Total: time.Hour, Attempts: 2, MaxRetryAfter: time.Minute}, &driver.Error{Kind: driver.Unavailable, RetryAfter: 31 * time.Second}, 2, 31050 * time.Millisecond},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tt.policy.jitter = longest
				start := time.Now()
				attempts, err := play(t.Context(), tt.policy, &driver.Call{Op: driver.OpPut}, repeat(tt.err, 200)...)
				if !errors.Is(err, tt.err) {
					t.Errorf("got %v, want %v", err, tt.err)
				}
				if waited := time.Since(start); attempts != tt.attempts || waited != tt.waits {
					t.Errorf("%d attempts in %v, want %d in %v", attempts, waited, tt.attempts, tt.waits)
				}
			})
		})
	}
}

// TestJitter checks that waits are spread over all of their range, and that those
// who are asked to wait for the same time don't come back at the same moment.
func TestJitter(t *testing.T) {
	const bound = 800 * time.Millisecond // of the fourth wait
	for _, tt := range []struct{ asked, lo, hi time.Duration }{
		{0, bound / 2, bound},
		{time.Second, time.Second, time.Second + bound/2},
	} {
		b := Policy{}.Backoff()
		b.tries = 4
		var low, high int
		for range 1000 {
			switch got, spread := b.pause(tt.asked), tt.hi-tt.lo; {
			case got < tt.lo || got > tt.hi:
				t.Fatalf("wait of %v, want %v to %v", got, tt.lo, tt.hi)
			case got < tt.lo+spread/4:
				low++
			case got > tt.hi-spread/4:
				high++
			}
		}
		if low < 150 || high < 150 {
			t.Errorf("%d waits in the lowest quarter and %d in the highest, of 1000", low, high)
		}
	}
	b := Policy{}.Backoff()
	b.tries = 60
	if got := b.pause(0); got > DefaultMax {
		t.Errorf("60th wait is %v", got)
	}
}

// TestOutage has a store that does not answer for a while: calls that may be repeated
// outlast it, however short their waits turn out to be.
func TestOutage(t *testing.T) {
	for _, outage := range []time.Duration{300 * time.Millisecond, time.Second, 3 * time.Second, 5 * time.Second} {
		for name, jitter := range map[string]func(time.Duration) time.Duration{
			"shortest": func(time.Duration) time.Duration { return 0 }, "longest": longest, "random": nil,
		} {
			synctest.Test(t, func(t *testing.T) {
				p := Policy{jitter: jitter}.withDefaults()
				over := time.Now().Add(outage)
				err := p.around(t.Context(), &driver.Call{Op: driver.OpPut}, func(context.Context) error {
					if time.Now().Before(over) {
						return lostReply
					}
					return nil
				})
				if err != nil {
					t.Errorf("outage of %v, %s waits: %v", outage, name, err)
				}
			})
		}
	}
}

func TestContext(t *testing.T) {
	t.Run("cancelled while waiting", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Second, cancel)
			start := time.Now()
			slow := &driver.Error{Kind: driver.Throttled, RetryAfter: 5 * time.Second}
			attempts, err := play(ctx, Policy{}, &driver.Call{Op: driver.OpPut, Key: "k"}, repeat(slow, 9)...)
			if !errors.Is(err, context.Canceled) || !errors.Is(err, driver.Throttled) || driver.KindOf(err) != driver.Unknown {
				t.Errorf("got %v", err)
			}
			if attempts != 1 || time.Since(start) != time.Second {
				t.Errorf("%d attempts in %v", attempts, time.Since(start))
			}
		})
	})
	t.Run("deadline before the wait ends", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			start := time.Now()
			slow := &driver.Error{Kind: driver.Throttled, RetryAfter: 5 * time.Second}
			_, err := play(ctx, Policy{}, &driver.Call{Op: driver.OpPut}, repeat(slow, 9)...)
			if !errors.Is(err, driver.Throttled) || time.Since(start) != 0 {
				t.Errorf("got %v after %v, want the store's error at once", err, time.Since(start))
			}
		})
	})
	t.Run("ended during the call", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		attempts, err := play(ctx, Policy{}, &driver.Call{Op: driver.OpPut}, unreachable)
		if attempts != 1 || !errors.Is(err, driver.Unavailable) {
			t.Errorf("%d attempts, %v", attempts, err)
		}
	})
}

// TestOutcomeUnknownSticks checks that a lost reply is not forgotten over a later error.
func TestOutcomeUnknownSticks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, last := range []error{denied, fmt.Errorf("wrapped: %w", denied)} {
			_, err := play(t.Context(), Policy{}, &driver.Call{Op: driver.OpPut, Key: "k"}, lostReply, last)
			if !driver.OutcomeUnknown(err) || driver.KindOf(err) != driver.Denied {
				t.Errorf("got %v, want access denied with an unknown outcome", err)
			}
		}
		if driver.OutcomeUnknown(denied) {
			t.Error("the driver's own error was changed")
		}
		if _, err := play(t.Context(), Policy{}, &driver.Call{Op: driver.OpPut}, unreachable, denied); err != error(denied) { //nolint:errorlint // the very same is meant
			t.Errorf("got %v, want the driver's own error", err)
		}
	})
}

func TestOnRetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []string
		p := Policy{OnRetry: func(op driver.Op, key string, attempt int, err error) {
			got = append(got, fmt.Sprint(op, " ", key, " ", attempt, " ", driver.KindOf(err)))
		}}
		attempts, err := play(t.Context(), p, &driver.Call{Op: driver.OpPut, Key: "k"}, unreachable, throttled)
		want := "put k 1 store unavailable; put k 2 throttled"
		if s := strings.Join(got, "; "); s != want || attempts != 3 || err != nil {
			t.Errorf("got %q, %d attempts, %v; want %q", s, attempts, err, want)
		}
	})
}

// TestBodyIsSentAgain checks that each attempt reads the whole body.
func TestBodyIsSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := mem.New()
		fails := 2
		flaky := driver.Wrap(store, func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
			if err := next(ctx); err != nil || c.Op != driver.OpPut || fails == 0 {
				return err
			}
			fails--
			return lostReply
		})
		b := Wrap(flaky, Policy{})
		const text = "the whole body"
		if _, err := b.Put(t.Context(), "k", io.NewSectionReader(strings.NewReader(text), 0, int64(len(text))), driver.WriteOptions{}); err != nil {
			t.Fatal(err)
		}
		rd, err := b.Open(t.Context(), "k", driver.Range{}, driver.ReadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(rd); string(got) != text || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
		if fails != 0 {
			t.Errorf("%d failures left over", fails)
		}
	})
}
