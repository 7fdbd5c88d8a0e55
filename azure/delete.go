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
func (b *Bucket) deleteBatch(ctx context.Context, refs []driver.ObjectRef) error {
	if len(refs) == 0 {
		return nil
	}
	if err := b.features.CheckBatch(refs); err != nil {
		return driver.Fail(driver.OpDeleteBatch, refs[0].Key, err)
	}
	ctx, c := begin(ctx, driver.OpDeleteBatch, refs[0].Key)
	batch, err := b.client.NewBatchBuilder()
	if err != nil {
		return c.fail(ctx, err)
	}
	for _, r := range refs {
		if err := b.checkKey(r.Key); err != nil {
			return driver.Fail(driver.OpDeleteBatch, r.Key, err)
		}
		err := batch.Delete(b.full(r.Key), &container.BatchDeleteOptions{
			DeleteOptions: blob.DeleteOptions{DeleteSnapshots: to.Ptr(blob.DeleteSnapshotsOptionTypeInclude)},
		})
		if err != nil {
			return c.fail(ctx, err)
		}
	}
	if err := ctx.Err(); err != nil {
		return driver.Fail(driver.OpDeleteBatch, refs[0].Key, err)
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
		if e.Key = refs[min(i, len(refs)-1)].Key; r.ContentID != nil && *r.ContentID < len(refs) {
			e.Key = refs[*r.ContentID].Key
		}
		if left++; first == nil {
			first = e
		}
	}
	if first == nil {
		return nil
	}
	first.Err = fmt.Errorf("%d of %d keys were not deleted: %w", left, len(refs), first.Err)
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
