package blobstore

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/opencontainers/go-digest"

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

func (s internals) PutLink(ctx context.Context, key string, target digest.Digest, contentType string) error {
	return s.engine.PutLink(ctx, key, target, contentType)
}

func (s internals) LookupTTL() time.Duration { return s.options.LookupTTL }

func (s internals) Request(ctx context.Context) *http.Request { return requestIn(ctx) }

func (s internals) Epoch() uint64 { return s.cacheEpoch.Load() }

func (s internals) Deleted() { s.cacheEpoch.Add(1) }
