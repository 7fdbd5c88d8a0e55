// Package retry repeats calls that failed for a reason that passes: throttling,
// and a store that can't be reached.
//
// A call is repeated only where that is safe. Throttled says that nothing was
// done, so every call is repeated. Unavailable is repeated when the store can't
// have carried the call out, or when doing it twice is the same as doing it
// once. A conditional write and the completion of an upload are neither: such an
// error goes to the caller, who looks at the store first, and lets a Backoff say when
// and whether to try again.
//
// Open is repeated until it delivers a reader; a body that breaks later is the
// reader's matter.
package retry

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/internal/wait"
)

// What Policy's zero fields stand for. With them a call outlasts an outage of five
// seconds.
const (
	DefaultAttempts      = 8
	DefaultThrottled     = 8
	DefaultBase          = 100 * time.Millisecond
	DefaultMax           = 5 * time.Second
	DefaultTotal         = 10 * time.Second
	DefaultMaxRetryAfter = 30 * time.Second
)

// Policy says how often and how patiently to repeat. Zero fields have the
// defaults named below.
type Policy struct {
	// Attempts is how often a call is made at most: 8. 1 never repeats.
	Attempts int
	// Throttled is the same for calls that the store throttles: 8, or Attempts where
	// that is given.
	Throttled int
	// Base is the upper bound of the first wait: 100 ms. The bound doubles with each
	// further wait. A wait is a random time between half of its bound and the bound.
	Base time.Duration
	// Max is the upper bound of every wait: 5 s. A store that asks for a longer
	// wait gets it, within Total and MaxRetryAfter.
	Max time.Duration
	// Total bounds all waits of one call taken together: 10 s. A call whose next
	// wait would exceed it fails at once. For calls that send no more than a little
	// it bounds the attempts as well: none begins later than that, so that a store
	// which does not answer is not asked in vain over and over. The time that package
	// limit lets calls wait for their turn does not count. Those that send
	// more may take their time, and all of them are repeated.
	Total time.Duration
	// MaxRetryAfter is the longest wait that a store may ask for: 30 s. A call for
	// which the store asks for more fails at once; Error.RetryAfter has the time, for
	// those who can wait longer.
	MaxRetryAfter time.Duration
	// OnRetry, when given, is called before each wait, with the number of the
	// attempt that failed, from 1.
	OnRetry func(op driver.Op, key string, attempt int, err error)

	jitter func(bound time.Duration) time.Duration // for tests
}

func (p Policy) withDefaults() Policy {
	if p.Throttled <= 0 {
		p.Throttled = DefaultThrottled
		if p.Attempts > 0 {
			p.Throttled = p.Attempts
		}
	}
	if p.Attempts <= 0 {
		p.Attempts = DefaultAttempts
	}
	or := func(d *time.Duration, def time.Duration) {
		if *d <= 0 {
			*d = def
		}
	}
	or(&p.Base, DefaultBase)
	or(&p.Max, DefaultMax)
	or(&p.Total, DefaultTotal)
	or(&p.MaxRetryAfter, DefaultMaxRetryAfter)
	if p.OnRetry == nil {
		p.OnRetry = func(driver.Op, string, int, error) {}
	}
	if p.jitter == nil {
		p.jitter = func(bound time.Duration) time.Duration { return rand.N(bound + 1) }
	}
	return p
}

// Wrap repeats b's calls as p says.
func Wrap(b driver.Bucket, p Policy) driver.Bucket {
	p = p.withDefaults()
	return driver.Wrap(b, p.around)
}

func (p Policy) around(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
	began := time.Now()
	ctx, queue := wait.WithQueue(ctx)
	waits := p.Backoff()
	var outcomeUnknown bool // some attempt may have been carried out
	for attempt := 1; ; attempt++ {
		err := next(ctx)
		if err == nil {
			return nil
		}
		outcomeUnknown = outcomeUnknown || driver.OutcomeUnknown(err)
		if attempt >= p.attempts(c, err) || ctx.Err() != nil {
			return unsure(c, err, outcomeUnknown)
		}
		if !long(c) {
			waits.waited = time.Since(began) - queue.Waited()
		}
		pause, ok := waits.next(ctx, err)
		if !ok {
			return unsure(c, err, outcomeUnknown)
		}
		p.OnRetry(c.Op, c.Key, attempt, err)
		if cerr := wait.For(ctx, pause); cerr != nil {
			return unsure(c, interrupted(c.Op, c.Key, cerr, err), outcomeUnknown)
		}
	}
}

// attempts is how often c may be made altogether, given how it just failed.
func (p Policy) attempts(c *driver.Call, err error) int {
	switch driver.KindOf(err) {
	case driver.Throttled:
		return p.Throttled
	case driver.Unavailable:
		if !driver.OutcomeUnknown(err) || idempotent(c) {
			return p.Attempts
		}
	case driver.Corrupt:
		// The store found the body damaged and kept nothing of it: once more tells
		// damage on the way from content that is wrong itself. Without a reply it
		// was this side that looked, and would find the same again.
		if sends(c) && status(err) != 0 {
			return min(p.Attempts, 2)
		}
	}
	return 1
}

// idempotent reports whether doing c twice is the same as doing it once. A
// second CreateUpload leaves an upload behind, which the sweeper finds.
func idempotent(c *driver.Call) bool {
	switch c.Op {
	case driver.OpStat, driver.OpOpen, driver.OpList, driver.OpListUploads, driver.OpSign,
		driver.OpDelete, driver.OpDeleteBatch, driver.OpAbortUpload,
		driver.OpCreateUpload, driver.OpPutPart, driver.OpCopyPart:
		return true
	case driver.OpPut, driver.OpCopy, driver.OpConcat:
		return c.Cond.IsZero() && !c.Consumes
	default:
		return false
	}
}

// long reports whether c may well take longer than Total by itself.
func long(c *driver.Call) bool { return c.Body != nil && c.Body.Size() > 1<<20 }

func sends(c *driver.Call) bool { return c.Op == driver.OpPut || c.Op == driver.OpPutPart }

func status(err error) int {
	var e *driver.Error
	if errors.As(err, &e) {
		return e.Status
	}
	return 0
}

// unsure is err, marked when an earlier attempt may have taken effect even if
// the last one can't have.
func unsure(c *driver.Call, err error, outcomeUnknown bool) error {
	if !outcomeUnknown || driver.OutcomeUnknown(err) {
		return err
	}
	marked := driver.Error{Op: c.Op, Key: c.Key, Kind: driver.KindOf(err), OutcomeUnknown: true, Err: err}
	var e *driver.Error
	if errors.As(err, &e) && error(e) == err { //nolint:errorlint // one inside another error stays there
		marked = *e
		marked.OutcomeUnknown = true
	}
	return &marked
}
