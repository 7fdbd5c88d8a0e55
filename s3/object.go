package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/cloud"
)

// Stat describes the object at key.
//
// A HEAD has no body that could tell a missing key from a missing bucket. Until
// the store has shown once that the bucket is there, a 404 costs a second
// request that asks for the bucket; a bucket that goes away later reads as empty.
func (b *Bucket) Stat(ctx context.Context, key string) (driver.Object, error) {
	if err := b.checkKey(key); err != nil {
		return driver.Object{}, driver.NewError(driver.OpStat, key, err)
	}
	return b.head(ctx, key, "")
}

// statChecksums is Stat with the sums that the store keeps. To tell those of an object
// that KMS encrypts, it must be allowed to decrypt it: whoever may not is answered 403, and
// gets the rest by a second request.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html
func (b *Bucket) statChecksums(ctx context.Context, key string) (driver.Object, error) {
	if err := b.checkKey(key); err != nil {
		return driver.Object{}, driver.NewError(driver.OpStat, key, err)
	}
	obj, err := b.head(ctx, key, types.ChecksumModeEnabled)
	if errors.Is(err, driver.Denied) {
		return b.head(ctx, key, "")
	}
	return obj, err
}

func (b *Bucket) head(ctx context.Context, key string, sums types.ChecksumMode) (driver.Object, error) {
	ctx, c := b.begin(ctx, driver.OpStat, key)
	in := &s3.HeadObjectInput{Bucket: b.bucket(), Key: b.full(key), ChecksumMode: sums}
	in.SSECustomerAlgorithm, in.SSECustomerKey, in.SSECustomerKeyMD5 = b.customer.fields()
	out, err := b.client.HeadObject(ctx, in)
	if err != nil {
		err = c.fail(ctx, err)
		if errors.Is(err, driver.NotFound) {
			return driver.Object{}, b.absent(ctx, key, err)
		}
		return driver.Object{}, err
	}
	b.seen.Store(true)
	return driver.Object{
		Key:         key,
		Size:        aws.ToInt64(out.ContentLength),
		ETag:        etag(out.ETag),
		Version:     version(out.VersionId),
		ModTime:     aws.ToTime(out.LastModified),
		ContentType: aws.ToString(out.ContentType),
		Metadata:    cloud.Metadata(out.Metadata),
		Checksums:   reported(out),

		ContentEncoding: encoding(out.ContentEncoding),
	}, nil
}

// encoding is a Content-Encoding without aws-chunked, which is a request's own and which
// some stores keep all the same.
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html
func encoding(header *string) string {
	all := strings.FieldsFunc(aws.ToString(header), func(r rune) bool { return r == ',' || r == ' ' })
	return strings.Join(slices.DeleteFunc(all, func(s string) bool { return strings.EqualFold(s, "aws-chunked") }), ",")
}

// absent is notFound, or NoBucket when the bucket is what is missing.
func (b *Bucket) absent(ctx context.Context, key string, notFound error) error {
	if b.seen.Load() {
		return notFound
	}
	ctx, c := b.begin(ctx, driver.OpStat, key)
	if _, err := b.client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: b.bucket()}); err != nil {
		err = c.fail(ctx, err)
		var e *driver.Error
		switch {
		case errors.As(err, &e) && (e.Kind == driver.NotFound || e.Kind == driver.NoBucket):
			e.Kind = driver.NoBucket
			e.Err = fmt.Errorf("bucket %s: %w", b.name, e.Err)
			return e
		case driver.IsContextError(err), driver.KindOf(err).Temporary():
			return err // not known to be absent
		}
		// To be refused is an answer too: the bucket is there.
	}
	b.seen.Store(true)
	return notFound
}

// Put stores body at key.
func (b *Bucket) Put(ctx context.Context, key string, body *io.SectionReader, o driver.WriteOptions) (driver.Object, error) {
	sum, err := b.checkPut(key, body, o)
	if err != nil {
		return driver.Object{}, driver.NewError(driver.OpPut, key, err)
	}
	up := cloud.NewRequestBody(body)
	defer up.Release()
	in := &s3.PutObjectInput{
		Bucket: b.bucket(), Key: b.full(key),
		Body: up, ContentLength: aws.Int64(body.Size()),
		ContentMD5: sum.md5, ChecksumCRC32: sum.crc32, ChecksumCRC32C: sum.crc32c, ChecksumCRC64NVME: sum.crc64, ChecksumSHA256: sum.sha256,
	}
	b.write.put(in, o)
	ctx, c := b.begin(ctx, driver.OpPut, key)
	c.Cond = o.Cond
	out, err := b.client.PutObject(ctx, in, unsigned(o.SHA256))
	if err != nil {
		return driver.Object{}, c.failBody(ctx, up, err)
	}
	b.seen.Store(true)
	if etag(out.ETag) == "" {
		return driver.Object{}, c.Incomplete("ETag")
	}
	return driver.Object{
		Key: key, Size: body.Size(), ETag: etag(out.ETag), Version: version(out.VersionId), ModTime: c.Date(),
		ContentType: o.ContentType, Metadata: maps.Clone(o.Metadata),
	}, nil
}

func (b *Bucket) checkPut(key string, body *io.SectionReader, o driver.WriteOptions) (sums, error) {
	if err := b.checkKey(key); err != nil {
		return sums{}, err
	}
	if err := o.Check(); err != nil {
		return sums{}, err
	}
	if err := b.checkCond(b.profile.conds.Put, o.Cond); err != nil {
		return sums{}, err
	}
	if err := b.profile.parts.CheckPut(body.Size()); err != nil {
		return sums{}, err
	}
	if len(o.SHA256) > 0 {
		return b.profile.checksum.withSHA256(body, o.SHA256)
	}
	return b.profile.checksum.of(body)
}

func (b *Bucket) checkCond(set driver.CondSet, c driver.Cond) error {
	if err := c.Check(); err != nil {
		return err
	}
	if !set.Allows(c) {
		return fmt.Errorf("%s is not known to honour this condition: %w", b.features.Name, driver.Unsupported)
	}
	return nil
}

// etag is the quoted form, which conditions take; some documents lack the quotes.
func etag(s *string) string {
	v := aws.ToString(s)
	if v == "" || strings.HasPrefix(v, `"`) || strings.HasPrefix(v, "W/") {
		return v
	}
	return `"` + v + `"`
}

// version is the object's version, "" where the bucket gives each the id "null".
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/AddingObjectstoVersionSuspendedBuckets.html
func version(id *string) string {
	if v := aws.ToString(id); v != "null" {
		return v
	}
	return ""
}
