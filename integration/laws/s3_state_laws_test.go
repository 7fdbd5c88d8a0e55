package laws_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/blobdock/blobdock/integration/laws"
)

func inClass(class types.StorageClass) func(*s3.PutObjectInput) {
	return func(in *s3.PutObjectInput) { in.StorageClass = class }
}

func archived(t *testing.T) {
	c := newS3Client(t, laws.Options{}, "archived")
	get := func(key string) error {
		out, err := c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: c.bucket, Key: &key})
		if err == nil {
			out.Body.Close()
		}
		return err
	}
	classOf := func(key string) types.StorageClass {
		t.Helper()
		out, err := c.head(t, key)
		wantCode(t, "head "+key, err, "")
		return out.StorageClass
	}
	put := func(key string, class types.StorageClass) {
		t.Helper()
		_, err := c.put(t, key, "content", inClass(class))
		wantCode(t, "put "+key, err, "")
	}
	put("cold", types.StorageClassGlacier)
	wantCode(t, "read", get("cold"), "InvalidObjectState")
	_, err := c.copy(t, "cold", "to", nil)
	wantCode(t, "copy", err, "ObjectNotInActiveTierError")
	c.holds(t, "to", "")
	id := c.create(t, "to")
	_, err = c.UploadPartCopy(t.Context(), &s3.UploadPartCopyInput{Bucket: c.bucket, Key: aws.String("to"), UploadId: id, PartNumber: aws.Int32(1), CopySource: aws.String(*c.bucket + "/cold")})
	wantCode(t, "copy of a part", err, "ObjectNotInActiveTierError")
	put("tiered", types.StorageClassIntelligentTiering)
	wantCode(t, "read of a tiered object", get("tiered"), "")
	c.enforcer.Archive(*c.bucket, "tiered")
	wantCode(t, "read of an archived tier", get("tiered"), "InvalidObjectState")
	c.mustPut(t, "plain", "content")
	wantCode(t, "read", get("plain"), "")
	c.enforcer.Archive(*c.bucket, "plain")
	wantCode(t, "read behind a lifecycle rule", get("plain"), "InvalidObjectState")
	c.refused(t, "archived", 5)
	for key, want := range map[string]types.StorageClass{"cold": "GLACIER", "tiered": "INTELLIGENT_TIERING", "plain": "GLACIER"} {
		if got := classOf(key); got != want {
			t.Errorf("class of %s is %q, want %q", key, got, want)
		}
	}
	c.mustPut(t, "cold", "content")
	wantCode(t, "read of what was overwritten", get("cold"), "")
	_, err = c.put(t, "key", "x", inClass("NONE"))
	wantCode(t, "no such class", err, "InvalidStorageClass")

	billed := c.enforcer.Bytes("archived") // "cold" went before its time
	if billed != int64(len("content")) {
		t.Errorf("%d bytes billed for nothing, want %d", billed, len("content"))
	}
	up, err := c.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: c.bucket, Key: aws.String("rare"), StorageClass: types.StorageClassStandardIa})
	wantCode(t, "create", err, "")
	wantCode(t, "complete", c.complete(t, "rare", up.UploadId, c.part(t, "rare", up.UploadId, 1, 1000)), "")
	wantCode(t, "read", get("rare"), "")
	if got, want := c.enforcer.Bytes("archived")-billed, int64(128<<10-1000); got != want {
		t.Errorf("%d bytes billed for nothing, want %d", got, want)
	}
	list, err := c.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: c.bucket, Prefix: aws.String("rare")})
	if wantCode(t, "list", err, ""); list.Contents[0].StorageClass != "STANDARD_IA" {
		t.Errorf("listed in class %s", list.Contents[0].StorageClass)
	}
	wantCode(t, "delete", c.delete(t, "rare", nil), "")
	if got := c.enforcer.Bytes("archived") - billed; got != 128<<10 {
		t.Errorf("%d bytes billed for nothing, want %d", got, 128<<10)
	}
}

func etagOpaque(t *testing.T) {
	c := newS3Client(t, laws.Options{}, "etag-opaque")
	first, second := c.mustPut(t, "key", "hello"), c.mustPut(t, "key", "hello")
	const md5 = `"5d41402abc4b2a76b9719d911017c592"`
	if first == second || first == md5 || second == md5 {
		t.Errorf("ETags %s and %s of equal bytes", first, second)
	}
	_, err := c.put(t, "key", "new", ifMatch(first))
	wantCode(t, "write over the old ETag", err, "PreconditionFailed")
	_, err = c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: c.bucket, Key: aws.String("key"), IfMatch: &first})
	wantCode(t, "read of the old ETag", err, "PreconditionFailed")
	_, err = c.copy(t, "key", "to", func(in *s3.CopyObjectInput) { in.CopySourceIfMatch = &first })
	wantCode(t, "copy of the old ETag", err, "PreconditionFailed")
	c.sameETag(t, "key", second)
	cp, err := c.copy(t, "key", "to", func(in *s3.CopyObjectInput) { in.CopySourceIfMatch = &second })
	wantCode(t, "copy", err, "")
	c.sameETag(t, "to", *cp.CopyObjectResult.ETag)
	third, err := c.put(t, "key", "hello", ifMatch(second))
	wantCode(t, "write over the new ETag", err, "")
	c.sameETag(t, "key", third)

	id := c.create(t, "parts")
	old, part := c.part(t, "parts", id, 1, 5), c.part(t, "parts", id, 1, 5)
	listed, err := c.ListParts(t.Context(), &s3.ListPartsInput{Bucket: c.bucket, Key: aws.String("parts"), UploadId: id})
	wantCode(t, "list parts", err, "")
	if *old.ETag == *part.ETag || *listed.Parts[0].ETag != *part.ETag {
		t.Errorf("parts of equal bytes: %s, %s, listed %s", *old.ETag, *part.ETag, *listed.Parts[0].ETag)
	}
	wantCode(t, "complete with the old ETag", c.complete(t, "parts", id, old), "InvalidPart")
	cpPart, err := c.UploadPartCopy(t.Context(), &s3.UploadPartCopyInput{Bucket: c.bucket, Key: aws.String("parts"), UploadId: id, PartNumber: aws.Int32(1), CopySource: aws.String(*c.bucket + "/key"), CopySourceIfMatch: &third})
	wantCode(t, "copy of a part", err, "")
	out, err := c.CompleteMultipartUpload(t.Context(), &s3.CompleteMultipartUploadInput{
		Bucket: c.bucket, Key: aws.String("parts"), UploadId: id,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: []types.CompletedPart{{ETag: cpPart.CopyPartResult.ETag, PartNumber: aws.Int32(1)}}},
	})
	wantCode(t, "complete", err, "")
	if !strings.HasSuffix(*out.ETag, `-1"`) {
		t.Errorf("ETag %s of an upload in parts", *out.ETag)
	}
	c.sameETag(t, "parts", *out.ETag)
}

// sameETag fails the test unless all ways to an object's ETag lead to this one.
func (c s3Client) sameETag(t *testing.T, key, want string) {
	t.Helper()
	head, err := c.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: c.bucket, Key: &key, IfMatch: &want})
	wantCode(t, "head "+key, err, "")
	get, err := c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: c.bucket, Key: &key, IfMatch: &want})
	wantCode(t, "get "+key, err, "")
	get.Body.Close()
	v1, err := c.ListObjects(t.Context(), &s3.ListObjectsInput{Bucket: c.bucket, Prefix: &key})
	wantCode(t, "list "+key, err, "")
	v2, err := c.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: c.bucket, Prefix: &key})
	wantCode(t, "list "+key, err, "")
	for _, got := range []*string{head.ETag, get.ETag, v1.Contents[0].ETag, v2.Contents[0].ETag} {
		if *got != want {
			t.Errorf("ETag of %s is %s, want %s", key, *got, want)
		}
	}
}

func versioned(t *testing.T) {
	c := newS3Client(t, laws.Options{}, "versioned")
	keeps := func(what string, want int64) {
		t.Helper()
		if got := c.enforcer.Bytes("versioned"); got != want {
			t.Errorf("%s: %d bytes in old versions, want %d", what, got, want)
		}
	}
	key := "key"
	first, err := c.PutObject(t.Context(), &s3.PutObjectInput{Bucket: c.bucket, Key: &key, Body: strings.NewReader("12345")})
	if wantCode(t, "put", err, ""); aws.ToString(first.VersionId) == "" {
		t.Error("a write without a version's id")
	}
	keeps("put", 0)
	_, err = c.put(t, key, "x", ifAbsent)
	wantCode(t, "if absent", err, "PreconditionFailed")
	keeps("refused", 0)
	c.mustPut(t, key, "123")
	keeps("overwritten", 5)
	out, err := c.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: c.bucket, Key: &key})
	wantCode(t, "delete", err, "")
	if !aws.ToBool(out.DeleteMarker) || aws.ToString(out.VersionId) == "" {
		t.Errorf("delete makes no marker: %+v", out)
	}
	keeps("deleted", 8)
	c.holds(t, key, "")
	if _, err := c.head(t, key); err == nil {
		t.Error("deleted, and still there")
	}
	old, err := c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: c.bucket, Key: &key, VersionId: first.VersionId})
	wantCode(t, "get the first version", err, "")
	old.Body.Close()
	remove := func(id *string) {
		t.Helper()
		_, err := c.DeleteObjects(t.Context(), &s3.DeleteObjectsInput{Bucket: c.bucket, Delete: &types.Delete{Objects: []types.ObjectIdentifier{{Key: &key, VersionId: id}}}})
		wantCode(t, "delete a version", err, "")
	}
	remove(first.VersionId)
	keeps("without the first version", 3)
	remove(out.VersionId)
	keeps("without the marker", 0)
	c.holds(t, key, "123")
}
