package emulator

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// S3 is how to reach an S3 server. It speaks path style only.
type S3 struct {
	Endpoint  string // http://127.0.0.1:port, no slash at its end
	AccessKey string
	SecretKey string
	Region    string
	KMSKey    string // a key for server-side encryption; empty if none is known
	Way       string // Environment, Docker or Native
}

// NewBucket makes an empty bucket under a name of its own and removes it, with
// all that is in it, at the end of the test.
func (s S3) NewBucket(tb testing.TB) string {
	tb.Helper()
	return forTest(tb, s.MakeBucket, s.DropBucket)
}

// MakeBucket makes an empty bucket under a name of its own.
func (s S3) MakeBucket(ctx context.Context) (string, error) {
	name := newName()
	return name, s.do(ctx, http.MethodPut, "/"+name, nil)
}

// DropBucket removes a bucket with all that is in it.
func (s S3) DropBucket(ctx context.Context, name string) error {
	// MinIO's own header: a bucket goes in one request, full or not. A server that
	// doesn't know it keeps a full bucket, which is for its owner to see.
	return s.do(ctx, http.MethodDelete, "/"+name, http.Header{"X-Minio-Force-Delete": {"true"}})
}

// ping lists buckets: MinIO answers its health checks before it serves.
func (s S3) ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	return s.do(ctx, http.MethodGet, "/", nil)
}

// do sends one signed request without a body. The SDK's client would drag more
// into every test binary, and hide failures behind its retries.
func (s S3) do(ctx context.Context, method, path string, header http.Header) error {
	req, err := http.NewRequestWithContext(ctx, method, s.Endpoint+path, nil)
	if err != nil {
		return err
	}
	for k, v := range header {
		req.Header[k] = v
	}
	cred := aws.Credentials{AccessKeyID: s.AccessKey, SecretAccessKey: s.SecretKey}
	req.Header.Set("X-Amz-Content-Sha256", emptyHash)
	err = v4.NewSigner().SignHTTP(ctx, cred, req, emptyHash, "s3", s.Region, time.Now(),
		func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	if err != nil {
		return fmt.Errorf("sign: %w", err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, req.URL, err)
	}
	if res.StatusCode/100 != 2 {
		return fmt.Errorf("%s %s: %s: %s", method, req.URL, res.Status, body)
	}
	return nil
}

// emptyHash is the SHA-256 of an empty body.
const emptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
