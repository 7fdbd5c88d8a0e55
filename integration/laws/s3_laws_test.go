package laws_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
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
	"virtual-host":               virtualHost,
	"clock-skew":                 clockSkew,
	"token-expiry":               tokenExpiry,
	"reset":                      resetS3,
	"internal-error":             internalErrorS3,
	"unavailable":                unavailableS3,
	"slow-down":                  slowDownS3,
	"request-rate":               requestRate,
	"key-rate":                   keyRateS3,
	"head-silent":                headSilent,
	"keep-alive-whitespace":      keepAliveSpace,
	"late-error":                 lateError,
	"empty-result":               emptyResult,
	"blank-result":               blankResult,
	"conditional-conflict":       conditionalConflict,
	"conditional-conflict-fault": conditionalConflictFault,
	"copy-conditions":            copyConditions,
	"copy-own-conditions":        copyOwnConditions,
	"delete-if-match":            deleteIfMatch,
	"conditions-refused":         conditionsRefused,
	"conditions-ignored":         conditionsIgnored,
	"complete-unconditional":     completeUnconditional,
	"if-match-quoted":            ifMatchQuoted,
	"copy-etag-refused":          copyETagRefused,
	"copy-condition-ignored":     copyConditionIgnored,
	"part-order":                 partOrder,
	"full-object-sum":            fullObjectSum,
	"parts-all-named":            partsAllNamed,
	"equal-parts":                equalParts,
	"list-uploads":               listUploads,
	"archived":                   archived,
	"etag-opaque":                etagOpaque,
	"versioned":                  versioned,
}

// s3Client is the SDK's client of a bucket behind laws.
type s3Client struct {
	*s3.Client
	bucket   *string
	enforcer *laws.Enforcer
	through  emulator.S3
	store    *s3.Client // without laws
}

func newS3Client(t *testing.T, o laws.Options, names ...string) s3Client {
	t.Helper()
	server := emulator.Start(t)
	bucket := server.NewBucket(t)
	through, enforcer := laws.S3(t, server, o, names...)
	return s3Client{s3.New(s3OptionsOf(through, "")), &bucket, enforcer, through, s3.New(s3OptionsOf(server, ""))}
}

// s3OptionsOf is the SDK without retries.
func s3OptionsOf(s emulator.S3, token string) s3.Options {
	return s3.Options{
		BaseEndpoint:               aws.String(s.Endpoint),
		Region:                     s.Region,
		Credentials:                credentials.NewStaticCredentialsProvider(s.AccessKey, s.SecretKey, token),
		UsePathStyle:               true,
		RetryMaxAttempts:           1,
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenSupported,
	}
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

// put writes an object, on the conditions that the headers of the input have.
func (c s3Client) put(t *testing.T, key, content string, conds ...func(*s3.PutObjectInput)) (etag string, err error) {
	t.Helper()
	in := &s3.PutObjectInput{Bucket: c.bucket, Key: &key, Body: strings.NewReader(content)}
	for _, cond := range conds {
		cond(in)
	}
	out, err := c.PutObject(t.Context(), in)
	if err != nil {
		return "", err
	}
	return *out.ETag, nil
}

func ifMatch(etag string) func(*s3.PutObjectInput) {
	return func(in *s3.PutObjectInput) { in.IfMatch = &etag }
}

func ifAbsent(in *s3.PutObjectInput) { in.IfNoneMatch = aws.String("*") }

// mustPut is put without conditions.
func (c s3Client) mustPut(t *testing.T, key, content string) (etag string) {
	t.Helper()
	etag, err := c.put(t, key, content)
	wantCode(t, "put "+key, err, "")
	return etag
}

// holds fails the test unless the store itself has this content at key; "" is no object.
func (c s3Client) holds(t *testing.T, key, want string) {
	t.Helper()
	out, err := c.store.GetObject(t.Context(), &s3.GetObjectInput{Bucket: c.bucket, Key: &key})
	var missing *types.NoSuchKey
	if errors.As(err, &missing) {
		if want != "" {
			t.Fatalf("the store lacks %s", key)
		}
		return
	}
	wantCode(t, "look at "+key, err, "")
	defer out.Body.Close()
	if got, err := io.ReadAll(out.Body); err != nil || string(got) != want {
		t.Fatalf("the store has %.20q at %s (%v), want %.20q", got, key, err, want)
	}
}

func (c s3Client) refused(t *testing.T, law string, want int) {
	t.Helper()
	if got := c.enforcer.Refused(law); got != want {
		t.Errorf("%d refusals, want %d: %v", got, want, c.enforcer.Refusals())
	}
}

func (c s3Client) head(t *testing.T, key string) (*s3.HeadObjectOutput, error) {
	t.Helper()
	return c.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: c.bucket, Key: &key})
}

func (c s3Client) delete(t *testing.T, key string, ifMatch *string) error {
	t.Helper()
	_, err := c.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: c.bucket, Key: &key, IfMatch: ifMatch})
	return err
}

// copy copies an object, as edit changes the request.
func (c s3Client) copy(t *testing.T, from, to string, edit func(*s3.CopyObjectInput), o ...func(*s3.Options)) (*s3.CopyObjectOutput, error) {
	t.Helper()
	in := &s3.CopyObjectInput{Bucket: c.bucket, Key: &to, CopySource: aws.String(*c.bucket + "/" + from)}
	if edit != nil {
		edit(in)
	}
	return c.CopyObject(t.Context(), in, o...)
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

// small uploads one byte in parts, on a condition.
func (c s3Client) small(t *testing.T, key string, ifNoneMatch *string) (*s3.CompleteMultipartUploadOutput, error) {
	t.Helper()
	id := c.create(t, key)
	return c.CompleteMultipartUpload(t.Context(), &s3.CompleteMultipartUploadInput{
		Bucket: c.bucket, Key: &key, UploadId: id, IfNoneMatch: ifNoneMatch,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: []types.CompletedPart{c.part(t, key, id, 1, 1)}},
	})
}
