package azure

import (
	"context"
	"errors"
	"fmt"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/cloud"
)

// deleteBatch deletes keys in one request. The error names the first key that
// could not be deleted; the others are deleted all the same.
func (b *Bucket) deleteBatch(ctx context.Context, keys []string) error {
	if len(keys) == 0 {
		return nil
	}
	if len(keys) > maxBatch {
		err := fmt.Errorf("%d keys, one request takes at most %d: %w", len(keys), maxBatch, driver.Invalid)
		return driver.Fail(driver.OpDeleteBatch, keys[0], err)
	}
	ctx, c := begin(ctx, driver.OpDeleteBatch, keys[0])
	batch, err := b.client.NewBatchBuilder()
	if err != nil {
		return c.fail(ctx, err)
	}
	for _, key := range keys {
		if err := b.checkKey(key); err != nil {
			return driver.Fail(driver.OpDeleteBatch, key, err)
		}
		err := batch.Delete(b.full(key), &container.BatchDeleteOptions{
			DeleteOptions: blob.DeleteOptions{DeleteSnapshots: to.Ptr(blob.DeleteSnapshotsOptionTypeInclude)},
		})
		if err != nil {
			return c.fail(ctx, err)
		}
	}
	if err := ctx.Err(); err != nil {
		return driver.Fail(driver.OpDeleteBatch, keys[0], err)
	}
	out, err := b.client.SubmitBatch(ctx, batch, nil)
	if err != nil {
		return c.fail(ctx, err)
	}
	var first *driver.Error
	left := 0
	for i, r := range out.Responses {
		if r == nil || r.Error == nil {
			continue
		}
		e := c.partly(r.Error)
		if e.Kind == driver.NotFound {
			continue
		}
		if e.Key = keys[min(i, len(keys)-1)]; r.ContentID != nil && *r.ContentID < len(keys) {
			e.Key = keys[*r.ContentID]
		}
		if left++; first == nil {
			first = e
		}
	}
	if first == nil {
		return nil
	}
	first.Err = fmt.Errorf("%d of %d keys were not deleted: %w", left, len(keys), first.Err)
	return first
}

// partly is the error of one request in a batch.
func (c *call) partly(err error) *driver.Error {
	e := &driver.Error{Op: c.Op, RequestID: c.Header.Get("X-Ms-Request-Id"), Kind: driver.Unknown, Err: driver.Unknown}
	var r *azcore.ResponseError
	if errors.As(err, &r) {
		one := &call{cloud.Call{Op: c.Op, Status: r.StatusCode}}
		e.Status = r.StatusCode
		one.refused(e, r.ErrorCode)
		e.MayHave = e.Kind == driver.Unavailable
	}
	return e
}
