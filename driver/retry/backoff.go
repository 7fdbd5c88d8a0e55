package retry

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/internal/wait"
)

// Backoff is the waits of one piece of work under a Policy. It is for work that the
// wrapper can't repeat by itself, since somebody has to look at the store first:
//
//	waits := policy.Backoff()
//	for {
//		obj, err := driver.Concat(ctx, b, r, plan)
//		if err == nil || there(ctx, b, r) {
//			return obj, nil
//		}
//		if err := waits.Wait(ctx, err); err != nil {
//			return obj, err
//		}
//	}
//
// A Backoff must not be used by several goroutines at once.
type Backoff struct {
	policy Policy
	tries  int // that failed
	waited time.Duration
}

// Backoff begins to count waits.
func (p Policy) Backoff() *Backoff { return &Backoff{policy: p.withDefaults()} }

// Wait waits until the work that failed with err is worth another try, and returns
// nil. It returns err at once where no wait helps: err is neither Throttled nor
// Unavailable, the next wait would exceed Total or last longer than ctx, or the
// store asks for more than MaxRetryAfter. When ctx ends the wait, the error is an
// *Error that has both reasons.
//
// Whether the work may be repeated at all is for the caller to know: Wait does not
// look at Error.OutcomeUnknown.
func (b *Backoff) Wait(ctx context.Context, err error) error {
	if err == nil || !driver.KindOf(err).Temporary() || ctx.Err() != nil {
		return err
	}
	pause, ok := b.next(ctx, err)
	if !ok {
		return err
	}
	if cerr := wait.For(ctx, pause); cerr != nil {
		var e driver.Error
		if known := (*driver.Error)(nil); errors.As(err, &known) {
			e = *known
		}
		return interrupted(e.Op, e.Key, cerr, err)
	}
	return nil
}

// next is the wait after another try, which failed with err. It is false where that
// wait is not allowed or in vain.
func (b *Backoff) next(ctx context.Context, err error) (time.Duration, bool) {
	b.tries++
	asked := retryAfter(err)
	pause := b.pause(asked)
	if asked > b.policy.MaxRetryAfter || b.waited+pause > b.policy.Total || endsWithin(ctx, pause) {
		return 0, false
	}
	b.waited += pause
	return pause, true
}

// pause is how long to wait before the next try. Callers that the store asks to
// wait for the same time are spread behind it.
func (b *Backoff) pause(asked time.Duration) time.Duration {
	bound := b.policy.Base
	for i := 1; i < b.tries && bound < b.policy.Max; i++ {
		bound *= 2
	}
	bound = min(bound, b.policy.Max)
	return max(asked, bound/2) + b.policy.jitter(bound/2)
}

// retryAfter is how long the store asks to wait; 0 when it does not ask.
func retryAfter(err error) time.Duration {
	var e *driver.Error
	if errors.As(err, &e) {
		return e.RetryAfter
	}
	return 0
}

// interrupted is the error of work whose wait ctx ended.
func interrupted(op driver.Op, key string, ended, err error) error {
	return &driver.Error{
		Op: op, Key: key, OutcomeUnknown: driver.OutcomeUnknown(err),
		Err: fmt.Errorf("%w while waiting to try again after: %w", ended, err),
	}
}

// endsWithin reports whether ctx has run out before the pause is over, so that
// waiting is in vain.
func endsWithin(ctx context.Context, pause time.Duration) bool {
	end, ok := ctx.Deadline()
	return ok && time.Until(end) < pause
}
