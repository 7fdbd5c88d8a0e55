package wait

import (
	"context"
	"sync/atomic"
	"time"
)

// Queue adds up how long calls under a context have waited for their turn on this side,
// which is no fault of the store's.
type Queue struct{ waited atomic.Int64 }

type queueKey struct{}

// WithQueue returns a context under which Queued adds to q.
func WithQueue(ctx context.Context) (_ context.Context, q *Queue) {
	q = new(Queue)
	return context.WithValue(ctx, queueKey{}, q), q
}

// Queued adds d to the Queue of ctx, if there is one.
func Queued(ctx context.Context, d time.Duration) {
	if q, ok := ctx.Value(queueKey{}).(*Queue); ok {
		q.waited.Add(int64(d))
	}
}

// Waited is the sum.
func (q *Queue) Waited() time.Duration { return time.Duration(q.waited.Load()) }
