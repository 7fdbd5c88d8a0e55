package laws_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/blobdock/blobdock/integration/laws"
)

// lastAnswer keeps what the SDK reads.
type lastAnswer struct {
	status string
	header http.Header
	body   []byte
}

func (l *lastAnswer) Do(r *http.Request) (*http.Response, error) {
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	l.status, l.header = res.Status, res.Header
	l.body, err = io.ReadAll(res.Body)
	res.Body = io.NopCloser(bytes.NewReader(l.body))
	return res, err
}

// seen is c with what it reads.
func (c s3Client) seen() (s3Client, *lastAnswer) {
	last := new(lastAnswer)
	c.Client = s3.New(c.Options(), func(o *s3.Options) { o.HTTPClient = last })
	return c, last
}

func keepAliveSpace(t *testing.T) {
	for _, behind := range []bool{false, true} {
		c, last := newS3Client(t, laws.Options{S3: laws.S3Options{SpaceBehindDeclaration: behind}}, "keep-alive-whitespace").seen()
		prefix := " \n"
		if behind {
			prefix = xml.Header + " \n"
		}
		out, err := c.small(t, "key", nil)
		wantCode(t, "complete", err, "")
		if !bytes.HasPrefix(last.body, []byte(prefix)) || aws.ToString(out.ETag) == "" {
			t.Errorf("completion: %q, want white space, and its ETag", last.body)
		}
		cp, err := c.copy(t, "key", "to", nil)
		wantCode(t, "copy", err, "")
		if !bytes.HasPrefix(last.body, []byte(prefix)) || cp.CopyObjectResult.ETag == nil {
			t.Errorf("copy: %q, want white space, and its ETag", last.body)
		}
		_, err = c.copy(t, "absent", "to", nil)
		wantCode(t, "copy of nothing", err, "NoSuchKey")
		c.mustPut(t, "plain", "x")
		if len(last.body) != 0 {
			t.Errorf("put: %q, want nothing", last.body)
		}
	}
}

func lateError(t *testing.T) {
	for _, after := range []bool{false, true} {
		o := laws.Options{Faults: map[string]laws.Faults{"late-error": {First: 1, After: after}}}
		c, last := newS3Client(t, o, "late-error").seen()
		c.mustPut(t, "source", "x")
		_, err := c.copy(t, "source", "key", nil)
		wantCode(t, "copy", err, "InternalError")
		if last.status != "200 OK" {
			t.Errorf("copy: %s, want 200 OK", last.status)
		}
		c.executed(t, "key", "x", after)
		_, err = c.copy(t, "source", "key", nil)
		wantCode(t, "copy again", err, "")
		_, err = c.small(t, "parts", nil)
		wantCode(t, "complete", err, "InternalError")
		c.executed(t, "parts", "\x00", after)
		if after { // the store's own refusal comes first
			_, err = c.copy(t, "absent", "to", nil)
			wantCode(t, "copy of nothing", err, "NoSuchKey")
		}
		c.refused(t, "late-error", 2)
	}
	o := laws.Options{Faults: map[string]laws.Faults{"late-error": {Total: 1}}, S3: laws.S3Options{LateCode: "SlowDown"}}
	c := newS3Client(t, o, "late-error")
	_, err := c.copy(t, "source", "key", nil)
	wantCode(t, "copy", err, "SlowDown")
}

// executed fails the test unless the store has carried a request out, or has not.
func (c s3Client) executed(t *testing.T, key, content string, yes bool) {
	t.Helper()
	if !yes {
		content = ""
	}
	c.holds(t, key, content)
}

func emptyResult(t *testing.T) { noResult(t, "empty-result", "") }
func blankResult(t *testing.T) { noResult(t, "blank-result", " \n \n") }

func noResult(t *testing.T, law, body string) {
	t.Helper()
	for _, after := range []bool{false, true} {
		o := laws.Options{Faults: map[string]laws.Faults{law: {First: 1, After: after}}}
		c, last := newS3Client(t, o, law).seen()
		c.mustPut(t, "source", "x")
		_, _ = c.copy(t, "source", "key", nil) // the SDK's way with it is its own
		if last.status != "200 OK" || string(last.body) != body {
			t.Errorf("copy: %s, %q, want 200 OK and %q", last.status, last.body, body)
		}
		c.executed(t, "key", "x", after)
		_, err := c.copy(t, "source", "key", nil)
		wantCode(t, "copy again", err, "")
		_, _ = c.small(t, "parts", nil)
		if last.status != "200 OK" || string(last.body) != body {
			t.Errorf("completion: %s, %q, want 200 OK and %q", last.status, last.body, body)
		}
		c.executed(t, "parts", "\x00", after)
		c.refused(t, law, 2)
	}
}

func headSilent(t *testing.T) {
	c, last := newS3Client(t, laws.Options{Faults: map[string]laws.Faults{"slow-down": {First: 1}}}, "head-silent", "slow-down").seen()
	if _, err := c.head(t, "key"); err == nil || last.status != "503 Slow Down" {
		t.Errorf("%v, %q, want 503 Slow Down", err, last.status)
	}
	if _, err := c.head(t, "key"); err == nil || last.status != "404 Not Found" {
		t.Errorf("%v, %q, want 404 Not Found", err, last.status)
	}
	for name := range last.header {
		if strings.HasPrefix(name, "X-Minio-") {
			t.Errorf("header %s tells more", name)
		}
	}
	c.mustPut(t, "key", "x")
	if out, err := c.head(t, "key"); err != nil || aws.ToInt64(out.ContentLength) != 1 {
		t.Errorf("head: %v", err)
	}
}

func internalErrorS3(t *testing.T) {
	failing(t, "internal-error", "500 Internal Server Error", "InternalError")
}
func unavailableS3(t *testing.T) {
	failing(t, "unavailable", "503 Service Unavailable", "ServiceUnavailable")
}
func slowDownS3(t *testing.T) { failing(t, "slow-down", "503 Service Unavailable", "SlowDown") }

// failing proves a fault: of each object's first request, before and after it is
// executed.
func failing(t *testing.T, law, status, code string) {
	t.Helper()
	for _, after := range []bool{false, true} {
		o := laws.Options{Faults: map[string]laws.Faults{law: {First: 1, After: after}}}
		c, last := newS3Client(t, o, law).seen()
		_, err := c.put(t, "key", "x")
		wantCode(t, "put", err, code)
		if last.status != status {
			t.Errorf("put: %s, want %s", last.status, status)
		}
		c.executed(t, "key", "x", after)
		c.mustPut(t, "key", "y")
		_, err = c.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: c.bucket})
		wantCode(t, "list", err, code)
		c.refused(t, law, 2)
	}
	c := newS3Client(t, laws.Options{}, law)
	c.mustPut(t, "key", "x") // no faults by default
}

func resetS3(t *testing.T) {
	for _, after := range []bool{false, true} {
		o := laws.Options{Faults: map[string]laws.Faults{"reset": {First: 1, After: after}}}
		c := newS3Client(t, o, "reset")
		_, err := c.put(t, "key", "x")
		var unanswered *smithyhttp.RequestSendError
		if !errors.As(err, &unanswered) {
			t.Errorf("put: %v, want no answer", err)
		}
		c.executed(t, "key", "x", after)
		c.mustPut(t, "key", "y")
		c.refused(t, "reset", 1)
	}
}
