package verify

import (
	"context"
	"net/http/httptrace"
	"sync/atomic"
	"time"

	"github.com/blobdock/blobdock/driver"
)

// requests counts what goes over the wire to the store.
type requests struct{ sent, throttled atomic.Int64 }

// under returns a context whose HTTP requests are counted.
func (r *requests) under(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteHeaders: func() { r.sent.Add(1) }})
}

// count counts the requests of every call to b.
func (r *requests) count(b driver.Bucket) driver.Bucket {
	return driver.Wrap(b, func(ctx context.Context, _ *driver.Call, next func(context.Context) error) error {
		return next(r.under(ctx))
	})
}

// Throttled requests are sent again after an exponential back-off, from throttledFirst up to
// throttledMost, which is longer than any store's interval between writes to one key.
// https://cloud.google.com/storage/docs/retry-strategy
const (
	throttledFirst = 100 * time.Millisecond
	throttledMost  = 1100 * time.Millisecond
	// throttledTries is more than the writers that the conformance suite lets meet at one
	// key: where one write a second passes, the last writer needs so many.
	throttledTries = 24
)

// again waits until a throttled request may be sent once more. It reports false when the
// request has been sent throttledTries times, or ctx ends. try counts from 1.
func again(ctx context.Context, try int) bool {
	pause := min(throttledFirst<<min(try-1, 10), throttledMost)
	return try < throttledTries && wait(ctx, pause) == nil
}

// patient counts the requests of every call to b, and repeats throttled calls.
// The throttled requests are counted apart: a clause on the cost of a call holds for the
// request that was served.
func (r *requests) patient(b driver.Bucket) driver.Bucket {
	return driver.Wrap(b, func(ctx context.Context, _ *driver.Call, next func(context.Context) error) error {
		for try := 1; ; try++ {
			err := next(r.under(ctx))
			if !replyOf(err).throttled() {
				return err
			}
			r.throttled.Add(1)
			if !again(ctx, try) {
				return err
			}
			r.sent.Add(-1)
		}
	})
}

// wait waits, unless ctx ends before.
func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
