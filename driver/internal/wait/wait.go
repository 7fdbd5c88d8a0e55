// Package wait waits.
package wait

import (
	"context"
	"time"
)

// For waits for d, or as long as ctx lasts, whose error it then returns.
func For(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
