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

const (
	// throttledTries is how often a throttled request is sent at most.
	throttledTries = 6
	// throttledWait is longer than any store's interval between writes to one key.
	throttledWait = 1100 * time.Millisecond
)

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
			if try == throttledTries || wait(ctx, throttledWait) != nil {
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
