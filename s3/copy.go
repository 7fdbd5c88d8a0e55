package s3

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/cloud"
)

// copyObject copies an object by one CopyObject. The store does not tell the
// copy's size.
func (b *Bucket) copyObject(ctx context.Context, r driver.CopyRequest) (driver.Object, error) {
	o := r.Options
	err := b.checkCopy(r.Src, r.Dst)
	if err == nil {
		err = r.Check()
	}
	if err == nil {
		err = b.checkCond(b.profile.conds.Copy, o.Cond)
	}
	if err != nil {
		return driver.Object{}, driver.NewError(driver.OpCopy, r.Dst, err)
	}
	in := &s3.CopyObjectInput{
		Bucket: b.bucket(), Key: b.full(r.Dst),
		CopySource: b.source(r.Src.Key), CopySourceIfMatch: text(r.Src.ETag),
	}
	b.write.copy(in, o)
	ctx, c := b.begin(ctx, driver.OpCopy, r.Dst)
	c.Cond, c.source = o.Cond, r.Src.ETag
	out, err := b.client.CopyObject(ctx, in)
	if err != nil {
		return driver.Object{}, b.whichAbsent(ctx, r, c.fail(ctx, err))
	}
	if out.CopyObjectResult == nil || etag(out.CopyObjectResult.ETag) == "" {
		return driver.Object{}, c.Incomplete("ETag")
	}
	return driver.Object{
		Key: r.Dst, Size: -1, ETag: etag(out.CopyObjectResult.ETag), Version: version(out.VersionId),
		ModTime: aws.ToTime(out.CopyObjectResult.LastModified),
	}, nil
}

// whichAbsent makes Mismatch of a NotFound that is not about the source of a copy: a
// destination that is not there has no ETag, either. The reply names neither of the two.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
func (b *Bucket) whichAbsent(ctx context.Context, r driver.CopyRequest, err error) error {
	var e *driver.Error
	if r.Options.Cond.IfMatch == "" || !errors.As(err, &e) || e.Kind != driver.NotFound {
		return err
	}
	if _, serr := b.head(ctx, r.Src.Key, ""); serr == nil {
		e.Kind = driver.Mismatch
	}
	return err
}

// copyPart fills part n of u with bytes of another object.
func (b *Bucket) copyPart(ctx context.Context, u driver.Upload, n int, src driver.Source) (driver.Part, error) {
	err := ctx.Err()
	if err == nil {
		err = b.checkCopyPart(u, n, src)
	}
	if err != nil {
		return driver.Part{}, driver.NewError(driver.OpCopyPart, u.Key, err)
	}
	ctx, c := b.begin(ctx, driver.OpCopyPart, u.Key)
	c.source = src.ETag
	in := &s3.UploadPartCopyInput{
		Bucket: b.bucket(), Key: b.full(u.Key), UploadId: &u.ID, PartNumber: aws.Int32(int32(n)),
		CopySource: b.source(src.Key), CopySourceIfMatch: text(src.ETag),
	}
	// A range is refused where the source is not larger than the smallest part.
	if !src.Whole() {
		in.CopySourceRange = aws.String(fmt.Sprintf("bytes=%d-%d", src.Range.Off, src.Range.Off+src.Range.Len-1))
	}
	in.SSECustomerAlgorithm, in.SSECustomerKey, in.SSECustomerKeyMD5 = b.customer.fields()
	in.CopySourceSSECustomerAlgorithm, in.CopySourceSSECustomerKey, in.CopySourceSSECustomerKeyMD5 = b.customer.fields()
	out, err := b.client.UploadPartCopy(ctx, in)
	if err != nil {
		return driver.Part{}, c.fail(ctx, err)
	}
	if out.CopyPartResult == nil || etag(out.CopyPartResult.ETag) == "" {
		return driver.Part{}, c.Incomplete("ETag")
	}
	return driver.Part{Number: n, Size: src.Range.Len, ETag: etag(out.CopyPartResult.ETag)}, nil
}

func (b *Bucket) checkCopyPart(u driver.Upload, n int, src driver.Source) error {
	if err := b.checkUpload(u); err != nil {
		return err
	}
	if err := b.checkCopy(src, u.Key); err != nil {
		return err
	}
	// The store does not tell how much it copied, so that must be known before.
	if src.Range.Off < 0 || src.Range.Len < 1 {
		return fmt.Errorf("part %d of %d+%d: a part copy needs its offset and length: %w", n, src.Range.Off, src.Range.Len, driver.Invalid)
	}
	return b.profile.parts.CheckPart(n, src.Range.Len)
}

func (b *Bucket) checkCopy(src driver.Source, dst string) error {
	if err := b.checkKey(src.Key); err != nil {
		return fmt.Errorf("source: %w", err)
	}
	return b.checkKey(dst)
}

// source is the value of x-amz-copy-source, which the SDK sends as it is: each
// segment must be escaped, the slashes must not. What is read through an access point with
// an ARN has one itself.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html
func (b *Bucket) source(key string) *string {
	if isARN(b.name) {
		return aws.String(cloud.EscapePath(b.name + "/object/" + b.prefix.Full(key)))
	}
	return aws.String(cloud.EscapePath(b.name + "/" + b.prefix.Full(key)))
}
