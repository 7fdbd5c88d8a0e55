package gcs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/api/storage/v1"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/cloud"
)

// fanIn is how many objects one request joins.
// https://cloud.google.com/storage/docs/composite-objects
const fanIn = 32

// joins are requests for groups that are under way at the same time.
const joins = 8

// compose makes dst of sources in one request. consume deletes the sources: deleted
// this way they cost no early-deletion fee and leave no soft-deleted copy.
//
// The store compares dst.Crc32c with the sources' sums and joins nothing where they
// differ. That the reply has the sum, too, shows a server that does not compare.
// https://cloud.google.com/storage/docs/json_api/v1/objects/compose
// https://cloud.google.com/storage/docs/reference/rpc/google.storage.v2#composeobjectrequest
// https://pkg.go.dev/cloud.google.com/go/storage#Composer
func (b *Bucket) compose(ctx context.Context, c *call, dst *storage.Object, sources []*storage.ComposeRequestSourceObjects, match *int64, consume bool) (*storage.Object, error) {
	ctx = cloud.Begin(ctx, &c.Call)
	r := b.service.Compose(b.name, dst.Name, &storage.ComposeRequest{
		Destination: dst, SourceObjects: sources, DeleteSourceObjects: consume,
	}).Context(ctx)
	if match != nil {
		r.IfGenerationMatch(*match)
	}
	if b.config.KMSKey != "" {
		r.KmsKeyName(b.config.KMSKey)
	}
	if b.config.UserProject != "" {
		r.UserProject(b.config.UserProject)
	}
	stored, err := r.Do()
	if err != nil {
		return nil, c.fail(ctx, err)
	}
	b.seen.Store(true)
	if stored.Generation == 0 {
		return nil, c.Incomplete("generation")
	}
	if want, got := dst.Crc32c, stored.Crc32c; want != "" && got != "" && got != want {
		return nil, b.takeBack(ctx, c, stored.Generation, fmt.Errorf("the store has joined an object with the CRC32C %s, want %s: %w", got, want, driver.Corrupt))
	}
	return stored, nil
}

// takeBackTime bounds the removal of an object that is not what it should be: nobody must
// find it, so it outlives the caller's context by more than other tidying up.
const takeBackTime = 10 * time.Second

// takeBack deletes what a request has made, and nothing that came after it.
func (b *Bucket) takeBack(ctx context.Context, c *call, generation int64, cause error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), takeBackTime)
	defer cancel()
	if err := b.remove(ctx, c.Key, generation); err != nil && !errors.Is(err, driver.NotFound) && !errors.Is(err, driver.Mismatch) {
		cause = fmt.Errorf("%w; it stays as generation %d: %w", cause, generation, err)
	}
	return driver.NewError(c.Op, c.Key, cause)
}
