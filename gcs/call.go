package gcs

import (
	"context"
	"net/http"
	"sync/atomic"

	"github.com/blobdock/blobdock/driver"
)

// call is one request: what was asked, and what the transport saw of it.
type call struct {
	op   driver.Op
	key  string
	cond driver.Cond

	sent   atomic.Bool // bytes of the request may have reached the store
	status int
	header http.Header
}

type callKey struct{}

// begin starts a call; the request under the context reports to it.
func begin(ctx context.Context, op driver.Op, key string, cond driver.Cond) (context.Context, *call) {
	c := &call{op: op, key: key, cond: cond}
	return context.WithValue(ctx, callKey{}, c), c
}
