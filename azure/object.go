package azure

import (
	"context"
	"io"
	"maps"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/cloud"
)

// Stat describes the object at key.
func (b *Bucket) Stat(ctx context.Context, key string) (driver.Object, error) {
	if err := b.checkKey(key); err != nil {
		return driver.Object{}, driver.NewError(driver.OpStat, key, err)
	}
	ctx, c := begin(ctx, driver.OpStat, key)
	out, err := b.blob(key).GetProperties(ctx, nil)
	if err != nil {
		return driver.Object{}, c.fail(ctx, err)
	}
	if placeholder(out.Metadata) {
		return driver.Object{}, notAnObject(driver.OpStat, key)
	}
	return driver.Object{
		Key:         key,
		Size:        value(out.ContentLength),
		ETag:        etag(out.ETag),
		Version:     etag(out.ETag),
		ModTime:     value(out.LastModified),
		ContentType: value(out.ContentType),
		Metadata:    decodeMetadata(out.Metadata),
		DeleteFirst: otherType(out.BlobType),

		ContentEncoding: value(out.ContentEncoding),
	}, nil
}

// Put stores body at key, by one Put Blob. It drops the parts of uploads that
// others have under way to the same key. An append or page blob at the key is deleted
// first, which takes three requests more: one that is refused, one that looks, and the
// deletion.
func (b *Bucket) Put(ctx context.Context, key string, body *io.SectionReader, o driver.WriteOptions) (driver.Object, error) {
	err := b.checkKey(key)
	if err == nil {
		err = o.Check()
	}
	if err == nil {
		err = b.features.Parts.CheckPut(body.Size())
	}
	var sum blob.TransferValidationType
	if err == nil {
		sum, err = b.checksum.of(body, o.SHA256)
	}
	if err != nil {
		return driver.Object{}, driver.NewError(driver.OpPut, key, err)
	}
	return b.overType(ctx, driver.OpPut, key, o.Cond, func(ctx context.Context, cond driver.Cond) (driver.Object, error) {
		o.Cond = cond
		return b.putBlob(ctx, key, body, o, sum)
	})
}

func (b *Bucket) putBlob(ctx context.Context, key string, body *io.SectionReader, o driver.WriteOptions, sum blob.TransferValidationType) (driver.Object, error) {
	up := cloud.NewRequestBody(body)
	defer up.Release()
	ctx, c := begin(ctx, driver.OpPut, key)
	c.Cond = o.Cond
	out, err := b.blockBlob(key).Upload(ctx, up, &blockblob.UploadOptions{
		HTTPHeaders: headers(o.ContentType), Metadata: encodeMetadata(o.Metadata),
		Tier: b.write.accessTier(o.Use), CPKScopeInfo: b.write.encryption(),
		AccessConditions: conditionOf(o.Cond), TransactionalValidation: sum,
	})
	if err != nil {
		return driver.Object{}, c.failBody(ctx, up, err)
	}
	if etag(out.ETag) == "" {
		return driver.Object{}, c.Incomplete("ETag")
	}
	return driver.Object{
		Key: key, Size: body.Size(), ETag: etag(out.ETag), Version: etag(out.ETag), ModTime: value(out.LastModified),
		ContentType: o.ContentType, Metadata: maps.Clone(o.Metadata),
	}, nil
}
