package gcs

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"google.golang.org/api/storage/v1"

	"github.com/blobdock/blobdock/driver"
)

// copyObject copies an object by the server. Inside one location and storage
// class that is one request, whatever the size; else the store may want several,
// each of which goes on where the last one ended. Nothing shows at the destination before the end.
// https://cloud.google.com/storage/docs/json_api/v1/objects/rewrite
func (b *Bucket) copyObject(ctx context.Context, r driver.CopyRequest) (driver.Object, error) {
	match, source, err := b.checkCopy(r)
	if err != nil {
		return driver.Object{}, driver.NewError(driver.OpCopy, r.Dst, err)
	}
	dst, err := b.copied(ctx, r)
	if err != nil {
		return driver.Object{}, err
	}
	for token := ""; ; {
		reply, err := b.rewrite(ctx, r, dst, match, source, token)
		if err != nil {
			return driver.Object{}, b.copyRefused(ctx, r, err)
		}
		if reply.Done {
			return b.object(r.Dst, reply.Resource), nil
		}
		if token = reply.RewriteToken; token == "" {
			e := driver.NewError(driver.OpCopy, r.Dst, fmt.Errorf("the reply says neither that the copy is done nor how it goes on: %w", driver.Unavailable))
			e.OutcomeUnknown = true
			return driver.Object{}, e
		}
	}
}

func (b *Bucket) checkCopy(r driver.CopyRequest) (match, source *int64, err error) {
	if err := b.checkKey(r.Src.Key); err != nil {
		return nil, nil, fmt.Errorf("source: %w", err)
	}
	if err := b.checkKey(r.Dst); err != nil {
		return nil, nil, err
	}
	if err := r.Check(); err != nil {
		return nil, nil, err
	}
	if match, err = matchOf(r.Options.Cond); err != nil {
		return nil, nil, err
	}
	source, err = matchOf(driver.Cond{IfMatch: r.Src.ETag})
	return match, source, err
}

// copied is the metadata of the copy. An empty request keeps the source's; one
// that names only the storage class would drop it, so that it is fetched then.
func (b *Bucket) copied(ctx context.Context, r driver.CopyRequest) (*storage.Object, error) {
	o := r.Options
	if o.ContentType != "" || o.Metadata != nil {
		return b.fresh("", o), nil
	}
	if b.config.StorageClass == "" || o.Use == driver.UseOther {
		return new(storage.Object), nil
	}
	src, err := b.get(ctx, driver.OpCopy, r.Dst, b.full(r.Src.Key))
	if err != nil {
		return nil, b.absent(ctx, err)
	}
	o.ContentType, o.Metadata = src.ContentType, src.Metadata
	return b.fresh("", o), nil
}

func (b *Bucket) rewrite(ctx context.Context, r driver.CopyRequest, dst *storage.Object, match, source *int64, token string) (*storage.RewriteResponse, error) {
	ctx, c := begin(ctx, driver.OpCopy, r.Dst, r.Options.Cond)
	q := b.service.Rewrite(b.name, b.full(r.Src.Key), b.name, b.full(r.Dst), dst).Projection("noAcl").Context(ctx)
	if token != "" {
		q.RewriteToken(token)
	}
	if match != nil {
		q.IfGenerationMatch(*match)
	}
	if source != nil {
		q.IfSourceGenerationMatch(*source)
	}
	if b.config.KMSKey != "" {
		q.DestinationKmsKeyName(b.config.KMSKey)
	}
	if b.config.UserProject != "" {
		q.UserProject(b.config.UserProject)
	}
	reply, err := q.Do()
	if err != nil {
		return nil, c.fail(ctx, err)
	}
	b.seen.Store(true)
	if reply.Done && (reply.Resource == nil || reply.Resource.Generation == 0) {
		return nil, c.Incomplete("generation")
	}
	return reply, nil
}

// copyRefused finds out what is wrong where the source had a condition: the
// status is the same for one that is gone, one that changed, and the destination.
func (b *Bucket) copyRefused(ctx context.Context, r driver.CopyRequest, err error) error {
	var e *driver.Error
	switch {
	case !errors.As(err, &e):
		return err
	case e.Kind == driver.NotFound:
		return b.absent(ctx, err)
	case e.Status != http.StatusPreconditionFailed || r.Src.ETag == "":
		return err
	}
	src, getErr := b.get(ctx, driver.OpCopy, r.Dst, b.full(r.Src.Key))
	if getErr != nil {
		return b.absent(ctx, getErr)
	}
	if b.object(r.Src.Key, src).ETag != r.Src.ETag {
		e.Kind = driver.Mismatch
	}
	return err
}
