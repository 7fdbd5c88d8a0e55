package gcs

import (
	"context"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/cloud"
)

// call is one request.
type call struct{ cloud.Call }

// begin starts a call; the request under the context reports to it.
func begin(ctx context.Context, op driver.Op, key string, cond driver.Cond) (context.Context, *call) {
	c := &call{cloud.Call{Op: op, Key: key, Cond: cond}}
	return cloud.Begin(ctx, &c.Call), c
}
