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
	slow := laws.RequestRate{Reads: 1, Writes: 1, Per: time.Hour, Partition: func(key string) string {
		prefix, _, _ := strings.Cut(key, "/")
		return prefix
	}}
	c, last := newS3Client(t, laws.Options{S3: laws.S3Options{RequestRate: slow}}, "request-rate").seen()
	c.mustPut(t, "a/1", "x")
	_, err := c.put(t, "a/2", "x")
	wantCode(t, "second write", err, "SlowDown")
	c.holds(t, "a/2", "")
	c.mustPut(t, "b/1", "x") // another partition
	_, err = c.head(t, "a/1")
	wantCode(t, "read", err, "")
	if _, err := c.head(t, "a/1"); err == nil || last.status != "503 Slow Down" {
		t.Errorf("second read: %v, %s, want 503 Slow Down", err, last.status)
	}
	c.refused(t, "request-rate", 2)

	const short = 10 * time.Millisecond
	c = newS3Client(t, laws.Options{S3: laws.S3Options{RequestRate: laws.RequestRate{Writes: 1, Per: short}}}, "request-rate")
	c.mustPut(t, "a/1", "x")
	time.Sleep(short)
	c.mustPut(t, "a/2", "x")

	c = newS3Client(t, laws.Options{S3: laws.S3Options{RequestRate: laws.RequestRate{Writes: 1, Per: time.Hour}}}, "request-rate")
	c.mustPut(t, "a/1", "x")
	_, err = c.put(t, "b/1", "x")
	wantCode(t, "a bucket of one partition", err, "SlowDown")
}

func keyRateS3(t *testing.T) {
	c := newS3Client(t, laws.Options{S3: laws.S3Options{KeyRate: laws.KeyRate{Interval: time.Hour}}}, "key-rate")
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
	c.refused(t, "key-rate", 5)

	const short = 10 * time.Millisecond
	c = newS3Client(t, laws.Options{S3: laws.S3Options{KeyRate: laws.KeyRate{Interval: short}}}, "key-rate")
	c.mustPut(t, "key", "first")
	time.Sleep(short)
	c.mustPut(t, "key", "second")

	c = newS3Client(t, laws.Options{S3: laws.S3Options{DeletesFree: true}}, "r2")
	c.mustPut(t, "key", "x")
	wantCode(t, "free delete", c.delete(t, "key", nil), "")
}
