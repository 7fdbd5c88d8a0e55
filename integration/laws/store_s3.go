package laws

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"github.com/blobdock/blobdock/integration/emulator"
)

// clientS3 is for requests of the laws' own. They go straight to the store.
func clientS3(s emulator.S3) *s3.Client {
	return s3.New(s3.Options{
		BaseEndpoint: aws.String(s.Endpoint),
		Region:       s.Region,
		Credentials:  credentials.NewStaticCredentialsProvider(s.AccessKey, s.SecretKey, ""),
		UsePathStyle: true,
	})
}

// headS3 looks at an object's current version. There is nil where there is none.
func (e *Enforcer) headS3(ctx context.Context, bucket, key string) (*s3.HeadObjectOutput, error) {
	out, err := e.s3Client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &bucket, Key: &key})
	var missing *types.NotFound
	if errors.As(err, &missing) {
		return nil, nil
	}
	return out, err
}

// bucketS3 reports whether there is such a bucket.
func (e *Enforcer) bucketS3(ctx context.Context, bucket string) bool {
	_, err := e.s3Client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &bucket})
	return err == nil
}

// partsS3 lists the parts of an upload.
func (e *Enforcer) partsS3(c call) ([]types.Part, error) {
	var parts []types.Part
	pages := s3.NewListPartsPaginator(e.s3Client, &s3.ListPartsInput{
		Bucket: &c.bucket, Key: &c.key, UploadId: aws.String(c.URL.Query().Get("uploadId")),
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(c.Context())
		if err != nil {
			return nil, err
		}
		parts = append(parts, page.Parts...)
	}
	return parts, nil
}

// brokenS3 answers a call that a law can't judge because its own request to the store failed.
func brokenS3(w http.ResponseWriter, c call, err error) {
	writeErrorS3(w, c, http.StatusInternalServerError, "InternalError", "the law's own request: "+err.Error())
}

// removal is an object that DeleteObject or DeleteObjects names.
type removal struct {
	Key       string
	VersionID string `xml:"VersionId"`
	ETag      string
}

// removals lists the objects that c is to delete, and leaves its body to be read. It
// refuses a list that can't be read, and reports false then.
func (e rule) removals(w http.ResponseWriter, c call) (named []removal, ok bool) {
	named, err := removalsOf(c)
	if err != nil {
		e.refuseS3(w, c, http.StatusBadRequest, "MalformedXML", "the list of objects can't be read")
	}
	return named, err == nil
}

// removalsOf reads the list.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html
func removalsOf(c call) ([]removal, error) {
	switch c.op {
	case "DeleteObject":
		return []removal{{c.key, c.URL.Query().Get("versionId"), ""}}, nil
	case "DeleteObjects":
		body, err := io.ReadAll(c.Body)
		if err != nil {
			return nil, err
		}
		c.Body = io.NopCloser(bytes.NewReader(body))
		var named struct{ Object []removal }
		return named.Object, xml.Unmarshal(body, &named)
	}
	return nil, nil
}

// perBucket sets something up before the first request to each bucket.
type perBucket struct {
	set  func(ctx context.Context, bucket string) error
	mu   sync.Mutex // held while set runs: the others wait for it
	done map[string]bool
}

func newPerBucket(set func(context.Context, string) error) *perBucket {
	return &perBucket{set: set, done: make(map[string]bool)}
}

// ready returns when the bucket is set up. A bucket that isn't there is the store's to
// refuse.
func (p *perBucket) ready(c call) error {
	if c.bucket == "" {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.done[c.bucket] {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.Context()), 30*time.Second)
	defer cancel()
	err := p.set(ctx, c.bucket)
	var api smithy.APIError
	if errors.As(err, &api) && api.ErrorCode() == "NoSuchBucket" {
		return nil
	}
	p.done[c.bucket] = err == nil
	return err
}
