package laws_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"github.com/blobdock/blobdock/integration/emulator"
	"github.com/blobdock/blobdock/integration/laws"
)

var s3Proofs = map[string]func(*testing.T){
	"part-order": partOrder,
}

// s3Client is the SDK's client of a bucket behind laws.
type s3Client struct {
	*s3.Client
	bucket   *string
	enforcer *laws.Enforcer
}

func newS3Client(t *testing.T, o laws.Options, names ...string) s3Client {
	t.Helper()
	server := emulator.Start(t)
	bucket := server.NewBucket(t)
	through, enforcer := laws.S3(t, server, o, names...)
	client := s3.New(s3.Options{
		BaseEndpoint:               aws.String(through.Endpoint),
		Region:                     through.Region,
		Credentials:                credentials.NewStaticCredentialsProvider(through.AccessKey, through.SecretKey, ""),
		UsePathStyle:               true,
		RetryMaxAttempts:           1,
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenSupported,
	})
	return s3Client{client, &bucket, enforcer}
}

// wantCode fails the test unless err is the API's error with this code; "" is success.
func wantCode(t *testing.T, what string, err error, code string) {
	t.Helper()
	var api smithy.APIError
	switch {
	case code == "" && err != nil:
		t.Fatalf("%s: %v", what, err)
	case code != "" && (!errors.As(err, &api) || api.ErrorCode() != code):
		t.Fatalf("%s: %v, want %s", what, err, code)
	}
}

func (c s3Client) create(t *testing.T, key string) *string {
	t.Helper()
	up, err := c.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: c.bucket, Key: &key})
	wantCode(t, "create", err, "")
	return up.UploadId
}

func (c s3Client) part(t *testing.T, key string, id *string, n int32, size int) types.CompletedPart {
	t.Helper()
	p, err := c.UploadPart(t.Context(), &s3.UploadPartInput{
		Bucket: c.bucket, Key: &key, UploadId: id, PartNumber: &n, Body: bytes.NewReader(make([]byte, size)),
	})
	wantCode(t, "part", err, "")
	return types.CompletedPart{ETag: p.ETag, PartNumber: &n, ChecksumCRC32: p.ChecksumCRC32}
}

func (c s3Client) complete(t *testing.T, key string, id *string, parts ...types.CompletedPart) error {
	t.Helper()
	_, err := c.CompleteMultipartUpload(t.Context(), &s3.CompleteMultipartUploadInput{
		Bucket: c.bucket, Key: &key, UploadId: id, MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
	})
	return err
}

func partOrder(t *testing.T) {
	c := newS3Client(t, laws.Options{}, "part-order")
	id := c.create(t, "gap")
	first, third := c.part(t, "gap", id, 1, 5<<20), c.part(t, "gap", id, 3, 1)
	wantCode(t, "with a gap", c.complete(t, "gap", id, first, third), "InvalidPartOrder")
	second := c.part(t, "gap", id, 2, 5<<20)
	wantCode(t, "without a gap", c.complete(t, "gap", id, first, second, third), "")
	if n := c.enforcer.Refused("part-order"); n != 1 {
		t.Errorf("%d refusals, want 1", n)
	}
}
