package azure

import (
	"context"
	"errors"
	"fmt"
	"net/http"

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
			return b.openEmpty(ctx, key, o, c.fail(ctx, err))
		}
		return nil, b.another(ctx, driver.OpOpen, key, c.fail(ctx, err))
	}
	if placeholder(out.Metadata) {
		_ = out.Body.Close()
		return nil, notAnObject(driver.OpOpen, key)
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

// openEmpty reads an object without bytes: a range of it is refused, as it has no first
// byte. That takes a second request, since a refusal is no proof of that.
func (b *Bucket) openEmpty(ctx context.Context, key string, o driver.ReadOptions, refused error) (*driver.Reader, error) {
	obj, err := b.Stat(ctx, key)
	switch {
	case err != nil:
		return nil, driver.NewError(driver.OpOpen, key, err)
	case o.IfMatch != "" && obj.ETag != o.IfMatch:
		return nil, driver.NewError(driver.OpOpen, key, fmt.Errorf("the object has ETag %s, want %s: %w", obj.ETag, o.IfMatch, driver.Mismatch))
	case obj.Size > 0:
		return nil, refused
	}
	return &driver.Reader{ReadCloser: http.NoBody, Object: obj}, nil
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
