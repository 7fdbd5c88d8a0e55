package gcs

import (
	"context"

	"google.golang.org/api/storage/v1"

	"github.com/blobdock/blobdock/internal/cloud"
)

// fanIn is how many objects one request joins.
// https://cloud.google.com/storage/docs/composite-objects
const fanIn = 32

// joins are requests for groups that are under way at the same time.
const joins = 8

// compose makes dst of sources in one request. consume deletes the sources: deleted
// this way they cost no early-deletion fee and leave no soft-deleted copy.
// https://cloud.google.com/storage/docs/json_api/v1/objects/compose
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
	return stored, nil
}
