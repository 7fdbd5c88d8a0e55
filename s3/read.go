package s3

import (
	"context"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

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
	ctx, c := b.begin(ctx, driver.OpOpen, key)
	in := &s3.GetObjectInput{Bucket: b.bucket(), Key: b.full(key), Range: text(span.Header()), IfMatch: text(o.IfMatch)}
	in.SSECustomerAlgorithm, in.SSECustomerKey, in.SSECustomerKeyMD5 = b.customer.fields()
	out, err := b.client.GetObject(ctx, in)
	if err != nil {
		if c.Status == http.StatusRequestedRangeNotSatisfiable && r.Off == 0 {
			// Only an object without bytes has no first one.
			b.seen.Store(true)
			return &driver.Reader{
				ReadCloser: http.NoBody,
				Object:     driver.Object{Key: key, ETag: etag(text(c.Header.Get("Etag"))), Version: version(text(c.Header.Get("X-Amz-Version-Id")))},
			}, nil
		}
		return nil, c.fail(ctx, err)
	}
	b.seen.Store(true)
	rd, err := c.Deliver(span, out.Body, driver.Object{
		Key:         key,
		Size:        aws.ToInt64(out.ContentLength),
		ETag:        etag(out.ETag),
		Version:     version(out.VersionId),
		ModTime:     aws.ToTime(out.LastModified),
		ContentType: aws.ToString(out.ContentType),
		Metadata:    cloud.Metadata(out.Metadata),

		ContentEncoding: encoding(out.ContentEncoding),
	})
	if err != nil {
		return nil, c.fail(ctx, err)
	}
	return rd, nil
}
