package laws_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/blobdock/blobdock/integration/laws"
)

func partOrder(t *testing.T) {
	c := newS3Client(t, laws.Options{}, "part-order")
	id := c.create(t, "gap")
	first, third := c.part(t, "gap", id, 1, 5<<20), c.part(t, "gap", id, 3, 1)
	wantCode(t, "with a gap", c.complete(t, "gap", id, first, third), "InvalidPartOrder")
	c.holds(t, "gap", "")
	second := c.part(t, "gap", id, 2, 5<<20)
	wantCode(t, "without a gap", c.complete(t, "gap", id, first, second, third), "")
	c.refused(t, "part-order", 1)
}

func partsAllNamed(t *testing.T) {
	c := newS3Client(t, laws.Options{}, "ceph")
	id := c.create(t, "key")
	first, last := c.part(t, "key", id, 1, 5<<20), c.part(t, "key", id, 7, 1)
	wantCode(t, "without the last", c.complete(t, "key", id, first), "InvalidPart")
	wantCode(t, "without the first", c.complete(t, "key", id, last), "InvalidPart")
	c.holds(t, "key", "")
	wantCode(t, "all of them", c.complete(t, "key", id, first, last), "")
	c.refused(t, "parts-all-named", 2)
}

func equalParts(t *testing.T) {
	c := newS3Client(t, laws.Options{}, "equal-parts")
	id := c.create(t, "key")
	one, small, large := c.part(t, "key", id, 1, 5<<20), c.part(t, "key", id, 2, 1), c.part(t, "key", id, 3, 5<<20+1)
	wantCode(t, "larger last part", c.complete(t, "key", id, one, large), "InvalidPart")
	wantCode(t, "smaller middle part", c.complete(t, "key", id, one, small, large), "InvalidPart")
	c.holds(t, "key", "")
	wantCode(t, "smaller last part", c.complete(t, "key", id, one, small), "")
	id = c.create(t, "equal")
	wantCode(t, "equal parts", c.complete(t, "equal", id, c.part(t, "equal", id, 2, 5<<20), c.part(t, "equal", id, 4, 5<<20)), "")
	c.refused(t, "equal-parts", 2)
}
func fullObjectSum(t *testing.T) {
	complete := func(c s3Client) error {
		up, err := c.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{
			Bucket: c.bucket, Key: aws.String("key"), ChecksumAlgorithm: types.ChecksumAlgorithmCrc32, ChecksumType: types.ChecksumTypeFullObject,
		})
		wantCode(t, "create", err, "")
		part := c.part(t, "key", up.UploadId, 1, 5)
		part.ChecksumCRC32 = nil
		return c.complete(t, "key", up.UploadId, part)
	}
	wantCode(t, "on MinIO itself", complete(newS3Client(t, laws.Options{}, "part-order")), "InvalidPart")
	c := newS3Client(t, laws.Options{}, "full-object-sum")
	wantCode(t, "under the law", complete(c), "")
	c.holds(t, "key", string(make([]byte, 5)))
	// Damaged parts are refused all the same.
	_, err := c.UploadPart(t.Context(), &s3.UploadPartInput{
		Bucket: c.bucket, Key: aws.String("key"), UploadId: c.create(t, "key"), PartNumber: aws.Int32(1),
		Body: strings.NewReader("content"), ChecksumCRC32: aws.String("AAAAAA=="),
	})
	wantCode(t, "damaged part", err, "XAmzContentChecksumMismatch")
}
