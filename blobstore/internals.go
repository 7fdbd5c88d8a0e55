package blobstore

import (
	"context"
	"log/slog"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/friend"
	"github.com/blobdock/blobdock/internal/layout"
)

// access gives this module's other packages a Store's internals.
type access = friend.Access

// internals implements friend.Store with methods that a Store does not export.
type internals struct{ *Store }

func (s internals) Layout() layout.Layout { return s.layout }

func (s internals) Log() *slog.Logger { return s.options.Log }

func (s internals) UseSecret(secret string) { s.engine.UseSecret([]byte(secret)) }

func (s internals) Concat(ctx context.Context, r driver.ConcatRequest) error {
	return s.engine.Concat(ctx, r)
}
