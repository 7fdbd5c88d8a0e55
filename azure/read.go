package azure

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/cloud"
)

// Open reads the object at key, or the part of it that r names.
func (b *Bucket) Open(ctx context.Context, key string, r driver.Range, o driver.ReadOptions) (*driver.Reader, error) {
	if err := b.checkKey(key); err != nil {
		return nil, driver.NewError(driver.OpOpen, key, err)
	}
	span, err := cloud.NewSpan(r)
	if err != nil {
		return nil, driver.NewError(driver.OpOpen, key, err)
	}
	off, n := span.Bounds()
	ctx, c := begin(ctx, driver.OpOpen, key)
	out, err := b.blob(key).DownloadStream(ctx, &blob.DownloadStreamOptions{
		Range: blob.HTTPRange{Offset: off, Count: n}, AccessConditions: conditionOf(driver.Cond{IfMatch: o.IfMatch}),
	})
	if err == nil && out.Body == nil {
		err = fmt.Errorf("a reply without a body: %w", driver.Unsupported)
	}
	if err != nil {
		if c.Status == http.StatusRequestedRangeNotSatisfiable && r.Off == 0 {
			// Only an object without bytes has no first one.
			tag := etag(to.Ptr(azcore.ETag(c.Header.Get("Etag"))))
			return &driver.Reader{ReadCloser: http.NoBody, Object: driver.Object{Key: key, ETag: tag, Version: tag}}, nil
		}
		return nil, b.another(ctx, driver.OpOpen, key, c.fail(ctx, err))
	}
	rd, err := c.Deliver(span, out.Body, driver.Object{
		Key:         key,
		Size:        value(out.ContentLength),
		ETag:        etag(out.ETag),
		Version:     etag(out.ETag),
		ModTime:     value(out.LastModified),
		ContentType: value(out.ContentType), ContentEncoding: value(out.ContentEncoding),
		Metadata: decodeMetadata(out.Metadata),
	})
	if err != nil {
		return nil, c.fail(ctx, err)
	}
	return rd, nil
}

// another is failed, or NotFound where there is nothing that could have had the
// ETag: a condition comes before existence, so that takes a second request.
func (b *Bucket) another(ctx context.Context, op driver.Op, key string, failed error) error {
	if driver.KindOf(failed) != driver.Mismatch {
		return failed
	}
	ctx, c := begin(ctx, op, key)
	if _, err := b.blob(key).GetProperties(ctx, nil); err != nil {
		if err = c.fail(ctx, err); errors.Is(err, driver.NotFound) || errors.Is(err, driver.NoBucket) {
			return err
		}
	}
	return failed
}
