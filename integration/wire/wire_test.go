package wire_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/blobdock/blobdock/integration/emulator"
	"github.com/blobdock/blobdock/integration/wire"
)

func TestMain(m *testing.M) { os.Exit(emulator.Run(m)) }

func TestCounts(t *testing.T) {
	server := emulator.Start(t)
	bucket := server.NewBucket(t)
	p := wire.New(t, server)
	client := s3.New(s3.Options{
		BaseEndpoint: aws.String(p.S3.Endpoint),
		Region:       p.S3.Region,
		Credentials:  credentials.NewStaticCredentialsProvider(p.S3.AccessKey, p.S3.SecretKey, ""),
		UsePathStyle: true,
	})
	ctx := t.Context()
	check := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	key, twin := aws.String("a key/+ü"), aws.String("twin")
	_, err := client.PutObject(ctx, &s3.PutObjectInput{Bucket: &bucket, Key: key, Body: strings.NewReader("hello")})
	check("put", err)
	_, err = client.CopyObject(ctx, &s3.CopyObjectInput{Bucket: &bucket, Key: twin, CopySource: aws.String(bucket + "/a%20key/%2B%C3%BC")})
	check("copy", err)
	_, err = client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &bucket})
	check("list", err)

	got := p.Counts()
	const want = "3 requests (CopyObject 1, ListObjectsV2 1, PutObject 1)"
	if got.String() != want || got.Copied != 5 || got.Sent < 5 || got.Received == 0 {
		t.Errorf("counted %v, %+v, want %s and 5 bytes copied", got, got, want)
	}

	signed, err := s3.NewPresignClient(client).PresignGetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: key})
	check("presign", err)
	p.Reset()
	res, err := http.Get(signed.URL)
	check("signed URL", err)
	res.Body.Close()
	if res.StatusCode != http.StatusOK || p.Counts().String() != "1 requests (GetObject 1)" {
		t.Errorf("signed URL: %s, %v", res.Status, p.Counts())
	}
}

func TestOperation(t *testing.T) {
	for _, tc := range []struct{ method, target, source, want string }{
		{"PUT", "/b/k", "", "PutObject"},
		{"PUT", "/b/k", "b/other", "CopyObject"},
		{"PUT", "/b/k?partNumber=1&uploadId=x", "", "UploadPart"},
		{"PUT", "/b/k?partNumber=1&uploadId=x", "b/other", "UploadPartCopy"},
		{"POST", "/b/k?uploads", "", "CreateMultipartUpload"},
		{"POST", "/b/k?uploadId=x", "", "CompleteMultipartUpload"},
		{"POST", "/b/?delete", "", "DeleteObjects"},
		{"GET", "/b/k", "", "GetObject"},
		{"GET", "/b/k?uploadId=x", "", "ListParts"},
		{"GET", "/b/?uploads", "", "ListMultipartUploads"},
		{"GET", "/b?list-type=2", "", "ListObjectsV2"},
		{"GET", "/b?prefix=k", "", "ListObjects"},
		{"HEAD", "/b/k", "", "HeadObject"},
		{"HEAD", "/b", "", "HeadBucket"},
		{"DELETE", "/b/k", "", "DeleteObject"},
		{"DELETE", "/b/k?uploadId=x", "", "AbortMultipartUpload"},
	} {
		r := httptest.NewRequest(tc.method, tc.target, nil)
		r.Header.Set("X-Amz-Copy-Source", tc.source)
		if got := wire.Operation(r); got != tc.want {
			t.Errorf("%s %s: %s, want %s", tc.method, tc.target, got, tc.want)
		}
	}
}
