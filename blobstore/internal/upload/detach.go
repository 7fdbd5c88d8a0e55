package upload

import (
	"context"
	"time"
)

// detach returns a context that outlives ctx by grace: a client that goes away cancels
// its request, yet what it sent before is to be kept.
func detach(ctx context.Context, grace time.Duration) (context.Context, context.CancelFunc) {
	out, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		t := time.AfterFunc(grace, func() { cancel(context.Cause(ctx)) })
		context.AfterFunc(out, func() { t.Stop() })
	})
	return out, func() { stop(); cancel(context.Canceled) }
}
