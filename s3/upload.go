package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/cloud"
)

// CreateUpload begins a multipart upload.
func (b *Bucket) CreateUpload(ctx context.Context, key string, o driver.WriteOptions) (driver.Upload, error) {
	err := b.checkKey(key)
	if err == nil {
		err = o.CheckUpload()
	}
	if err != nil {
		return driver.Upload{}, driver.NewError(driver.OpCreateUpload, key, err)
	}
	in := &s3.CreateMultipartUploadInput{Bucket: b.bucket(), Key: b.full(key)}
	if b.profile.declareChecksum {
		in.ChecksumAlgorithm, in.ChecksumType = b.profile.checksum.algorithm()
	}
	b.write.upload(in, o)
	ctx, c := b.begin(ctx, driver.OpCreateUpload, key)
	out, err := b.client.CreateMultipartUpload(ctx, in)
	if err != nil {
		return driver.Upload{}, c.fail(ctx, err)
	}
	b.seen.Store(true)
	if aws.ToString(out.UploadId) == "" {
		return driver.Upload{}, c.Incomplete("upload id")
	}
	return driver.Upload{Key: key, ID: aws.ToString(out.UploadId), Started: c.Date()}, nil
}

// PutPart stores part n.
func (b *Bucket) PutPart(ctx context.Context, u driver.Upload, n int, body *io.SectionReader) (driver.Part, error) {
	sum, err := b.checkPutPart(u, n, body)
	if err != nil {
		return driver.Part{}, driver.NewError(driver.OpPutPart, u.Key, err)
	}
	ctx, c := b.begin(ctx, driver.OpPutPart, u.Key)
	up := cloud.NewRequestBody(body)
	defer up.Release()
	in := &s3.UploadPartInput{
		Bucket: b.bucket(), Key: b.full(u.Key), UploadId: &u.ID, PartNumber: aws.Int32(int32(n)),
		Body: up, ContentLength: aws.Int64(body.Size()),
		ContentMD5: sum.md5, ChecksumCRC32: sum.crc32, ChecksumCRC32C: sum.crc32c, ChecksumCRC64NVME: sum.crc64,
	}
	in.SSECustomerAlgorithm, in.SSECustomerKey, in.SSECustomerKeyMD5 = b.customer.fields()
	out, err := b.client.UploadPart(ctx, in, unsigned(nil))
	if err != nil {
		return driver.Part{}, c.failBody(ctx, up, err)
	}
	if etag(out.ETag) == "" {
		return driver.Part{}, c.Incomplete("ETag")
	}
	return driver.Part{Number: n, Size: body.Size(), ETag: etag(out.ETag)}, nil
}

func (b *Bucket) checkPutPart(u driver.Upload, n int, body *io.SectionReader) (sums, error) {
	if err := b.checkUpload(u); err != nil {
		return sums{}, err
	}
	if err := b.profile.parts.CheckPart(n, body.Size()); err != nil {
		return sums{}, err
	}
	return b.profile.checksum.of(body)
}

func (b *Bucket) checkUpload(u driver.Upload) error {
	if u.ID == "" {
		return fmt.Errorf("upload has no id: %w", driver.Invalid)
	}
	return b.checkKey(u.Key)
}

// CompleteUpload makes the parts the object at u.Key. Amazon S3 wants their numbers to
// be consecutive, Ceph wants all of them to be named.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompletedPart.html
func (b *Bucket) CompleteUpload(ctx context.Context, u driver.Upload, parts []driver.Part, cond driver.Cond) (driver.Object, error) {
	err := b.checkUpload(u)
	if err == nil {
		err = b.profile.parts.CheckComplete(parts)
	}
	if err == nil {
		err = b.checkCond(b.profile.conds.Complete, cond)
	}
	if err != nil {
		return driver.Object{}, driver.NewError(driver.OpCompleteUpload, u.Key, err)
	}
	in := &s3.CompleteMultipartUploadInput{Bucket: b.bucket(), Key: b.full(u.Key), UploadId: &u.ID}
	in.IfMatch, in.IfNoneMatch = conditionOf(cond)
	in.SSECustomerAlgorithm, in.SSECustomerKey, in.SSECustomerKeyMD5 = b.customer.fields()
	// No sums: each part's was compared when it came.
	named := make([]types.CompletedPart, len(parts))
	var size int64
	for i, p := range parts {
		named[i] = types.CompletedPart{PartNumber: aws.Int32(int32(p.Number)), ETag: aws.String(p.ETag)}
		size += p.Size
	}
	in.MultipartUpload = &types.CompletedMultipartUpload{Parts: named}
	call, c := b.begin(ctx, driver.OpCompleteUpload, u.Key)
	c.Cond = cond
	out, err := b.client.CompleteMultipartUpload(call, in)
	if err != nil {
		return driver.Object{}, c.fail(call, err)
	}
	tag := etag(out.ETag)
	if tag == "" && aws.ToString(out.Key) != "" && b.isJoined(ctx, u.Key, parts) {
		tag = joinedETag(parts)
	}
	if tag == "" {
		return driver.Object{}, c.Incomplete("ETag")
	}
	return driver.Object{Key: u.Key, Size: size, ETag: tag, Version: version(out.VersionId), ModTime: c.Date()}, nil
}

// AbortUpload drops the upload and its parts.
func (b *Bucket) AbortUpload(ctx context.Context, u driver.Upload) error {
	if err := b.checkUpload(u); err != nil {
		return driver.NewError(driver.OpAbortUpload, u.Key, err)
	}
	ctx, c := b.begin(ctx, driver.OpAbortUpload, u.Key)
	_, err := b.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: b.bucket(), Key: b.full(u.Key), UploadId: &u.ID})
	if err != nil {
		if err = c.fail(ctx, err); errors.Is(err, driver.NotFound) {
			return nil // gone already
		}
		return err
	}
	return nil
}

// UploadsPage lists uploads that are under way. MinIO lists only those whose key
// is exactly q.Prefix.
func (b *Bucket) UploadsPage(ctx context.Context, q driver.ListRequest) (driver.Page[driver.Upload], error) {
	in, err := b.uploadsInput(q)
	if err != nil {
		return driver.Page[driver.Upload]{}, driver.NewError(driver.OpListUploads, q.Prefix, err)
	}
	ctx, c := b.begin(ctx, driver.OpListUploads, q.Prefix)
	out, err := b.client.ListMultipartUploads(ctx, in)
	if err != nil {
		err = c.fail(ctx, err)
		if e := (*driver.Error)(nil); errors.As(err, &e) && e.Code == noSuchUpload {
			return driver.Page[driver.Upload]{}, nil // gofakes3's word for none
		}
		return driver.Page[driver.Upload]{}, err
	}
	page := driver.Page[driver.Upload]{}
	for _, u := range out.Uploads {
		key, err := decode(aws.ToString(u.Key), out.EncodingType)
		if err != nil {
			return driver.Page[driver.Upload]{}, c.fail(ctx, err)
		}
		// Ceph lists those of the key that a listing starts after, too.
		if key, ours := b.prefix.Cut(key); ours && (q.StartAfter == "" || key > q.StartAfter) {
			page.Items = append(page.Items, driver.Upload{Key: key, ID: aws.ToString(u.UploadId), Started: aws.ToTime(u.Initiated)})
		}
	}
	if aws.ToBool(out.IsTruncated) {
		next, id := out.NextKeyMarker, out.NextUploadIdMarker
		if n := len(out.Uploads); n > 0 && aws.ToString(next) == "" {
			// Swift tells no markers of a page with one upload. They are its last one.
			next, id = out.Uploads[n-1].Key, out.Uploads[n-1].UploadId
		}
		key, err := decode(aws.ToString(next), out.EncodingType)
		if err != nil {
			return driver.Page[driver.Upload]{}, c.fail(ctx, err)
		}
		page.Next = url.Values{"key": {key}, "id": {aws.ToString(id)}}.Encode()
	}
	return page, nil
}

func (b *Bucket) uploadsInput(q driver.ListRequest) (*s3.ListMultipartUploadsInput, error) {
	if err := q.CheckUploads(); err != nil {
		return nil, err
	}
	in := &s3.ListMultipartUploadsInput{
		Bucket: b.bucket(), Prefix: text(b.prefix.Full(q.Prefix)),
		MaxUploads: aws.Int32(int32(q.PageSize())), EncodingType: types.EncodingTypeUrl,
	}
	switch {
	case q.Token != "":
		at, err := url.ParseQuery(q.Token)
		if err != nil || at.Get("key") == "" {
			return nil, fmt.Errorf("listing token %q is not one of this store's: %w", q.Token, driver.Invalid)
		}
		in.KeyMarker, in.UploadIdMarker = text(at.Get("key")), text(at.Get("id"))
	case q.StartAfter != "":
		in.KeyMarker = b.full(q.StartAfter)
	}
	return in, nil
}
