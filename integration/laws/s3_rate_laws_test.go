package laws_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/blobdock/blobdock/integration/laws"
)

func requestRate(t *testing.T) {
	slow := laws.RequestRate{Reads: 3, Writes: 2, Partition: func(key string) string {
		prefix, _, _ := strings.Cut(key, "/")
		return prefix
	}}
	c := newS3Client(t, laws.Options{S3: laws.S3Options{RequestRate: slow}}, "request-rate")
	c.mustPut(t, "a/1", "x")
	c.mustPut(t, "a/2", "x")
	_, err := c.put(t, "a/3", "x")
	wantCode(t, "third write", err, "SlowDown")
	c.holds(t, "a/3", "")
	c.mustPut(t, "b/1", "x") // another partition
	for range 3 {
		_, err := c.head(t, "a/1")
		wantCode(t, "read", err, "")
	}
	if _, err := c.head(t, "a/1"); err == nil || !strings.Contains(err.Error(), "503") {
		t.Errorf("fourth read: %v, want 503", err)
	}
	time.Sleep(time.Second)
	c.mustPut(t, "a/3", "x")
	c.refused(t, "request-rate", 2)

	strict := newS3Client(t, laws.Options{S3: laws.S3Options{RequestRate: laws.RequestRate{Writes: 1}}}, "request-rate")
	strict.mustPut(t, "a/1", "x")
	_, err = strict.put(t, "b/1", "x")
	wantCode(t, "a bucket of one partition", err, "SlowDown")
}

func keyRateS3(t *testing.T) {
	rate := laws.KeyRate{Interval: 300 * time.Millisecond}
	c := newS3Client(t, laws.Options{S3: laws.S3Options{KeyRate: rate}}, "key-rate")
	c.mustPut(t, "source", "x")
	c.mustPut(t, "key", "first")
	_, err := c.put(t, "key", "second")
	wantCode(t, "put", err, "ServiceUnavailable")
	_, err = c.copy(t, "source", "key", nil)
	wantCode(t, "copy", err, "ServiceUnavailable")
	_, err = c.small(t, "key", nil)
	wantCode(t, "complete", err, "ServiceUnavailable")
	wantCode(t, "delete", c.delete(t, "key", nil), "ServiceUnavailable")
	key := "key"
	_, err = c.DeleteObjects(t.Context(), &s3.DeleteObjectsInput{Bucket: c.bucket, Delete: &types.Delete{Objects: []types.ObjectIdentifier{{Key: &key}}}})
	wantCode(t, "delete in a batch", err, "ServiceUnavailable")
	c.holds(t, "key", "first")
	_, err = c.head(t, "key")
	wantCode(t, "read", err, "")
	c.mustPut(t, "another", "x")
	time.Sleep(rate.Interval)
	c.mustPut(t, "key", "second")
	c.refused(t, "key-rate", 5)

	c = newS3Client(t, laws.Options{S3: laws.S3Options{DeletesFree: true}}, "r2")
	c.mustPut(t, "key", "x")
	wantCode(t, "free delete", c.delete(t, "key", nil), "")
}
