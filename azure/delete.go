package azure

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/sas"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/cloud"
)

// Delete removes the object at key, if there is one, together with its
// snapshots, which would keep it from going. A refusal for its ETag costs a second
// request, which tells an absent object from another version.
func (b *Bucket) Delete(ctx context.Context, key string, o driver.DeleteOptions) error {
	err := b.checkKey(key)
	if err == nil {
		err = b.features.Conds.CheckDelete(o, time.Now())
	}
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return driver.NewError(driver.OpDelete, key, err)
	}
	used := b.auth.file.refresh(false)
	client := b.blob(key)
	if !o.NotAfter.IsZero() {
		if client, err = b.until(ctx, key, o.NotAfter); err != nil {
			return err
		}
	}
	asked, c := begin(ctx, driver.OpDelete, key)
	if _, err = client.Delete(asked, deletion(o.IfVersion)); err != nil {
		err = c.fail(asked, err)
		if !o.NotAfter.IsZero() {
			err = b.auth.file.replaced(used, cloud.Late(err, o.NotAfter))
		}
		if err = b.another(ctx, driver.OpDelete, key, err); errors.Is(err, driver.NotFound) {
			return nil
		}
	}
	return err
}

func deletion(version string) *blob.DeleteOptions {
	return &blob.DeleteOptions{
		DeleteSnapshots:  to.Ptr(blob.DeleteSnapshotsOptionTypeInclude),
		AccessConditions: conditionOf(driver.Cond{IfMatch: version}),
	}
}

// until is a client whose requests to delete the object are refused after the
// deadline by the store's clock: a signature expires, which neither the account's key
// nor a token does in time.
// https://learn.microsoft.com/en-us/rest/api/storageservices/create-service-sas
func (b *Bucket) until(ctx context.Context, key string, deadline time.Time) (*blob.Client, error) {
	ctx, c := begin(ctx, driver.OpSign, key)
	q, _, err := b.signature(ctx, b.sas(key, deadline.Truncate(time.Second), sas.BlobPermissions{Delete: true}))
	if err != nil {
		return nil, c.fail(ctx, err)
	}
	client, err := blob.NewClientWithNoCredential(b.blobURL(b.endpoint, key)+"?"+q, &blob.ClientOptions{ClientOptions: b.auth.options})
	if err != nil {
		return nil, driver.NewError(driver.OpDelete, key, errText(err))
	}
	return client, nil
}

// deleteBatch deletes keys in one request. The error names the first key that
// could not be deleted; the others are deleted all the same.
func (b *Bucket) deleteBatch(ctx context.Context, refs []driver.ObjectRef) error {
	if len(refs) == 0 {
		return nil
	}
	if err := b.features.CheckBatch(refs); err != nil {
		return driver.NewError(driver.OpDeleteBatch, refs[0].Key, err)
	}
	ctx, c := begin(ctx, driver.OpDeleteBatch, refs[0].Key)
	used := b.auth.file.refresh(false)
	batch, err := b.client.NewBatchBuilder()
	if err != nil {
		return c.fail(ctx, err)
	}
	for _, r := range refs {
		if err := b.checkKey(r.Key); err != nil {
			return driver.NewError(driver.OpDeleteBatch, r.Key, err)
		}
		err := batch.Delete(b.full(r.Key), &container.BatchDeleteOptions{
			DeleteOptions: *deletion(r.Version),
		})
		if err != nil {
			return c.fail(ctx, err)
		}
	}
	if err := ctx.Err(); err != nil {
		return driver.NewError(driver.OpDeleteBatch, refs[0].Key, err)
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
		if e.Key = refs[min(i, len(refs)-1)].Key; r.ContentID != nil && *r.ContentID < len(refs) {
			e.Key = refs[*r.ContentID].Key
		}
		if errors.Is(b.another(ctx, driver.OpDeleteBatch, e.Key, e), driver.NotFound) {
			continue
		}
		if left++; first == nil {
			first = e
		}
	}
	if first == nil {
		return nil
	}
	first.Err = fmt.Errorf("%d of %d keys were not deleted: %w", left, len(refs), first.Err)
	return b.auth.file.replaced(used, first)
}

// partly is the error of one request in a batch.
func (c *call) partly(err error) *driver.Error {
	e := &driver.Error{Op: c.Op, RequestID: c.Header.Get("X-Ms-Request-Id"), Kind: driver.Unknown, Err: driver.Unknown}
	var r *azcore.ResponseError
	if errors.As(err, &r) {
		one := &call{cloud.Call{Op: c.Op, Status: r.StatusCode}}
		e.Status = r.StatusCode
		one.refused(e, r.ErrorCode)
		e.OutcomeUnknown = e.Kind == driver.Unavailable
	}
	return e
}
