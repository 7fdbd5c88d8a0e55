package laws_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/blobdock/blobdock/integration/laws"
)

func conditionalConflict(t *testing.T) {
	c := newS3Client(t, laws.Options{}, "conditional-conflict")
	etag := c.mustPut(t, "key", "first")
	finish := c.slowPut(t, "key", "slow") // has one refusal of its own
	_, err := c.put(t, "key", "second", ifMatch(etag))
	wantCode(t, "If-Match", err, "ConditionalRequestConflict")
	_, err = c.put(t, "key", "second", ifAbsent)
	wantCode(t, "If-None-Match", err, "ConditionalRequestConflict")
	_, err = c.small(t, "key", aws.String("*"))
	wantCode(t, "completion", err, "ConditionalRequestConflict")
	_, err = c.copy(t, "key", "key", func(in *s3.CopyObjectInput) { in.IfMatch = &etag })
	wantCode(t, "copy", err, "ConditionalRequestConflict")
	c.holds(t, "key", "first")
	_, err = c.put(t, "another", "x", ifAbsent)
	wantCode(t, "another key", err, "")
	c.mustPut(t, "key", "second") // without a condition
	finish()
	c.holds(t, "key", "slow")
	head, err := c.head(t, "key")
	wantCode(t, "head", err, "")
	_, err = c.put(t, "key", "third", ifMatch(*head.ETag))
	wantCode(t, "afterwards", err, "")
	c.refused(t, "conditional-conflict", 5)
}

// slowPut begins a write that is under way until finish is called.
func (c s3Client) slowPut(t *testing.T, key, content string) (finish func()) {
	t.Helper()
	signed, err := s3.NewPresignClient(c.Client).PresignPutObject(t.Context(), &s3.PutObjectInput{Bucket: c.bucket, Key: &key})
	wantCode(t, "presign", err, "")
	r, w := io.Pipe()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, signed.URL, r)
	if err != nil {
		t.Fatal(err)
	}
	req.ContentLength = int64(len(content))
	done := make(chan error, 1)
	go func() {
		res, err := http.DefaultClient.Do(req)
		if err == nil {
			res.Body.Close()
		}
		done <- err
	}()
	_, _ = io.WriteString(w, content[:1]) // returns when the first byte is being sent
	for c.enforcer.Refused("conditional-conflict") == 0 {
		_, err := c.put(t, key, "never there", ifMatch("none"))
		wantFailed(t, "probe", err)
	}
	return func() {
		t.Helper()
		_, _ = io.WriteString(w, content[1:])
		w.Close()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
}

func wantFailed(t *testing.T, what string, err error) {
	t.Helper()
	if err == nil {
		t.Fatalf("%s succeeded", what)
	}
}

func conditionalConflictFault(t *testing.T) {
	c := newS3Client(t, laws.Options{Faults: map[string]laws.Faults{"conditional-conflict-fault": {First: 1}}}, "conditional-conflict-fault")
	_, err := c.put(t, "key", "first", ifAbsent)
	wantCode(t, "the first", err, "ConditionalRequestConflict")
	c.holds(t, "key", "")
	_, err = c.put(t, "key", "first", ifAbsent)
	wantCode(t, "the second", err, "")
	c.mustPut(t, "another", "x") // without a condition
	c.refused(t, "conditional-conflict-fault", 1)
}

func copyConditions(t *testing.T) {
	c := newS3Client(t, laws.Options{}, "copy-conditions")
	c.mustPut(t, "source", "new")
	etag := c.mustPut(t, "key", "old")
	_, err := c.copy(t, "source", "key", func(in *s3.CopyObjectInput) { in.IfNoneMatch = aws.String("*") })
	wantCode(t, "over an object", err, "PreconditionFailed")
	_, err = c.copy(t, "source", "key", func(in *s3.CopyObjectInput) { in.IfMatch = aws.String(`"0"`) })
	wantCode(t, "over another ETag", err, "PreconditionFailed")
	_, err = c.copy(t, "source", "absent", func(in *s3.CopyObjectInput) { in.IfMatch = &etag })
	wantCode(t, "over nothing", err, "NoSuchKey")
	c.holds(t, "key", "old")
	c.holds(t, "absent", "")
	_, err = c.copy(t, "source", "absent", func(in *s3.CopyObjectInput) { in.IfNoneMatch = aws.String("*") })
	wantCode(t, "where none is", err, "")
	_, err = c.copy(t, "source", "key", func(in *s3.CopyObjectInput) { in.IfMatch = &etag })
	wantCode(t, "over this ETag", err, "")
	c.holds(t, "key", "new")
	c.refused(t, "copy-conditions", 3)
}

func copyOwnConditions(t *testing.T) {
	c := newS3Client(t, laws.Options{}, "copy-own-conditions")
	header := func(name, value string) func(*s3.Options) {
		return s3.WithAPIOptions(smithyhttp.SetHeaderValue(name, value))
	}
	c.mustPut(t, "source", "new")
	etag := c.mustPut(t, "key", "old")
	_, err := c.copy(t, "source", "key", nil, header("Cf-Copy-Destination-If-None-Match", "*"))
	wantCode(t, "over an object", err, "PreconditionFailed")
	c.holds(t, "key", "old")
	_, err = c.copy(t, "source", "key", nil, header("Cf-Copy-Destination-If-Match", etag))
	wantCode(t, "over this ETag", err, "")
	_, err = c.copy(t, "source", "key", func(in *s3.CopyObjectInput) { in.IfNoneMatch = aws.String("*") })
	wantCode(t, "the ordinary header is ignored", err, "")
	c.refused(t, "copy-own-conditions", 1)
}

func deleteIfMatch(t *testing.T) {
	c := newS3Client(t, laws.Options{}, "delete-if-match")
	etag := c.mustPut(t, "key", "content")
	wantCode(t, "another ETag", c.delete(t, "key", aws.String(`"0"`)), "PreconditionFailed")
	wantCode(t, "an absent key", c.delete(t, "absent", &etag), "NoSuchKey")
	key := "key"
	_, err := c.DeleteObjects(t.Context(), &s3.DeleteObjectsInput{Bucket: c.bucket, Delete: &types.Delete{Objects: []types.ObjectIdentifier{{Key: &key, ETag: aws.String(`"0"`)}}}})
	wantCode(t, "in a batch", err, "NotImplemented")
	c.holds(t, "key", "content")
	wantCode(t, "this ETag", c.delete(t, "key", &etag), "")
	c.holds(t, "key", "")
	wantCode(t, "an absent key, no condition", c.delete(t, "absent", nil), "")
	c.mustPut(t, "key", "content")
	wantCode(t, "any ETag", c.delete(t, "key", aws.String("*")), "")
	c.refused(t, "delete-if-match", 3)

	c = newS3Client(t, laws.Options{S3: laws.S3Options{DeleteAbsentUnmet: true}}, "delete-if-match")
	wantCode(t, "an absent key, the other way", c.delete(t, "absent", &etag), "PreconditionFailed")
}

func conditionsRefused(t *testing.T) {
	for _, set := range []string{"b2", "swift", "conditions-refused"} {
		c := newS3Client(t, laws.Options{}, set)
		_, err := c.put(t, "key", "first", ifAbsent)
		wantCode(t, "put if absent", err, "NotImplemented")
		_, err = c.small(t, "key", aws.String("*"))
		wantCode(t, "complete if absent", err, "NotImplemented")
		c.holds(t, "key", "")
		etag := c.mustPut(t, "key", "first")
		_, err = c.put(t, "key", "second", ifMatch(etag))
		wantCode(t, "put if match", err, "NotImplemented")
		c.holds(t, "key", "first")
		_, err = c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: c.bucket, Key: aws.String("key"), IfMatch: &etag})
		wantCode(t, "read if match", err, "")
		c.refused(t, "conditions-refused", 3)
	}
}

func conditionsIgnored(t *testing.T) {
	c := newS3Client(t, laws.Options{}, "wasabi")
	etag := c.mustPut(t, "key", "first")
	_, err := c.put(t, "key", "second", ifAbsent)
	wantCode(t, "put if absent", err, "")
	c.holds(t, "key", "second")
	_, err = c.put(t, "key", "third", ifMatch(etag))
	wantCode(t, "put if match", err, "")
	c.holds(t, "key", "third")
	_, err = c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: c.bucket, Key: aws.String("key"), IfMatch: &etag})
	wantCode(t, "read if match", err, "PreconditionFailed")
}

func completeUnconditional(t *testing.T) {
	c := newS3Client(t, laws.Options{}, "complete-unconditional")
	c.mustPut(t, "key", "first")
	_, err := c.put(t, "key", "second", ifAbsent)
	wantCode(t, "put", err, "PreconditionFailed")
	_, err = c.small(t, "key", aws.String("*"))
	wantCode(t, "completion", err, "")
	c.holds(t, "key", "\x00")

	c = newS3Client(t, laws.Options{S3: laws.S3Options{RefuseCompleteConditions: true}}, "complete-unconditional")
	_, err = c.small(t, "key", aws.String("*"))
	wantCode(t, "completion, refused", err, "NotImplemented")
	c.holds(t, "key", "")
	c.refused(t, "complete-unconditional", 1)
}

func ifMatchQuoted(t *testing.T) {
	c := newS3Client(t, laws.Options{}, "if-match-quoted")
	etag := c.mustPut(t, "key", "first")
	_, err := c.put(t, "key", "second", ifMatch(etag))
	wantCode(t, "quoted", err, "PreconditionFailed")
	c.holds(t, "key", "first")
	_, err = c.put(t, "key", "second", ifMatch("0"))
	wantCode(t, "another ETag", err, "PreconditionFailed")
	_, err = c.put(t, "key", "second", ifMatch(strings.Trim(etag, `"`)))
	wantCode(t, "without quotes", err, "")
	_, err = c.put(t, "key", "third", ifAbsent)
	wantCode(t, "if absent", err, "PreconditionFailed")
	c.refused(t, "if-match-quoted", 1)
}

func copyETagRefused(t *testing.T) {
	c := newS3Client(t, laws.Options{}, "copy-etag-refused")
	etag := c.mustPut(t, "plain", "x")
	parts, err := c.small(t, "parts", nil)
	wantCode(t, "upload", err, "")
	_, err = c.copy(t, "parts", "to", func(in *s3.CopyObjectInput) { in.CopySourceIfMatch = parts.ETag })
	wantCode(t, "in parts", err, "PreconditionFailed")
	c.holds(t, "to", "")
	_, err = c.copy(t, "plain", "to", func(in *s3.CopyObjectInput) { in.CopySourceIfMatch = &etag })
	wantCode(t, "in one", err, "")
	_, err = c.copy(t, "parts", "to", nil)
	wantCode(t, "not pinned", err, "")
	c.refused(t, "copy-etag-refused", 1)
}

func copyConditionIgnored(t *testing.T) {
	c := newS3Client(t, laws.Options{}, "copy-condition-ignored")
	etag := c.mustPut(t, "from", "x")
	c.mustPut(t, "from", "y")
	_, err := c.copy(t, "from", "to", func(in *s3.CopyObjectInput) { in.CopySourceIfMatch = &etag })
	wantCode(t, "of an older version", err, "")
	c.holds(t, "to", "y")
}
