package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/smithy-go"

	"github.com/blobdock/blobdock/driver"
)

// verb is one call, for tables.
type verb func(ctx context.Context, b *Bucket) error

var testUpload = driver.Upload{Key: "key", ID: "up1"}

func stat(ctx context.Context, b *Bucket) error { _, err := b.Stat(ctx, "key"); return err }

func open1(ctx context.Context, b *Bucket) error {
	_, err := b.Open(ctx, "key", driver.Range{Off: 3}, driver.ReadOptions{IfMatch: `"e"`})
	return err
}

func put(c driver.Cond) verb {
	return func(ctx context.Context, b *Bucket) error {
		_, err := b.Put(ctx, "key", section("hello"), driver.WriteOptions{Cond: c})
		return err
	}
}

func part(ctx context.Context, b *Bucket) error {
	_, err := b.PutPart(ctx, testUpload, 1, section("hello"))
	return err
}

func complete(c driver.Cond) verb {
	return func(ctx context.Context, b *Bucket) error {
		_, err := b.CompleteUpload(ctx, testUpload, []driver.Part{{Number: 1, Size: 5, ETag: `"e"`}}, c)
		return err
	}
}

func copyOf(etag string, c driver.Cond) verb {
	return func(ctx context.Context, b *Bucket) error {
		_, err := b.features.Copy(ctx, driver.CopyRequest{Src: driver.Source{Key: "src", ETag: etag}, Dst: "key", Options: driver.WriteOptions{Cond: c}})
		return err
	}
}

func abort(ctx context.Context, b *Bucket) error { return b.AbortUpload(ctx, testUpload) }
func remove(ctx context.Context, b *Bucket) error {
	return b.Delete(ctx, "key", driver.DeleteOptions{})
}

var (
	free    = driver.Cond{}
	absent  = driver.Cond{IfAbsent: true}
	matches = driver.Cond{IfMatch: `"e"`}
)

func TestErrorKinds(t *testing.T) {
	tests := []struct {
		name           string
		do             verb
		answer         http.HandlerFunc
		kind           driver.Kind
		outcomeUnknown bool
		hint           string // part of the message
	}{
		{"absent key", open1, reject(404, "NoSuchKey", ""), driver.NotFound, false, "told by the store"},
		{"missing bucket", open1, reject(404, "NoSuchBucket", ""), driver.NoBucket, false, ""},
		{"missing bucket, delete", remove, reject(404, "NoSuchBucket", ""), driver.NoBucket, false, ""},
		{"missing bucket, abort", abort, reject(404, "NoSuchBucket", ""), driver.NoBucket, false, ""},
		{"missing bucket, MinIO's HEAD", stat, reject(404, "", "", "X-Minio-Error-Code", "NoSuchBucket"), driver.NoBucket, false, ""},
		{"absent upload", part, reject(404, "NoSuchUpload", ""), driver.NotFound, false, ""},
		{"absent upload, complete", complete(free), reject(404, "NoSuchUpload", ""), driver.NotFound, false, ""},
		{"absent upload, complete under If-Match", complete(matches), reject(404, "NoSuchUpload", ""), driver.NotFound, false, ""},
		{"absent source", copyOf("", free), reject(404, "NoSuchKey", ""), driver.NotFound, false, ""},

		{"put if absent", put(absent), reject(412, "PreconditionFailed", ""), driver.Exists, false, ""},
		{"put if match", put(matches), reject(412, "PreconditionFailed", ""), driver.Mismatch, false, ""},
		{"put if match, nothing there", put(matches), reject(404, "NoSuchKey", ""), driver.Mismatch, false, ""},
		{"complete if absent", complete(absent), reject(412, "PreconditionFailed", ""), driver.Exists, false, ""},
		{"complete if match", complete(matches), reject(412, "PreconditionFailed", ""), driver.Mismatch, false, ""},
		{"complete if match, nothing there", complete(matches), reject(404, "NoSuchKey", ""), driver.Mismatch, false, ""},
		{"open if match", open1, reject(412, "PreconditionFailed", ""), driver.Mismatch, false, ""},
		{"copy, source changed", copyOf(`"e"`, free), reject(412, "PreconditionFailed", ""), driver.Mismatch, false, ""},
		{"copy if absent", copyOf("", absent), reject(412, "PreconditionFailed", ""), driver.Exists, false, ""},
		{"copy if absent, the source's told", copyOf(`"e"`, absent), reject(412, "PreconditionFailed", "<Condition>x-amz-copy-source-If-Match</Condition>"), driver.Mismatch, false, ""},
		{"copy if absent, the destination's told", copyOf(`"e"`, absent), reject(412, "PreconditionFailed", "<Condition>If-None-Match</Condition>"), driver.Exists, false, ""},
		{"copy if absent, not told whose", copyOf(`"e"`, absent), reject(412, "PreconditionFailed", ""), driver.Mismatch, false, ""},
		{"412 without a document", put(absent), reject(412, "", ""), driver.Exists, false, ""},
		{"put conflict", put(absent), reject(409, "ConditionalRequestConflict", ""), driver.Unavailable, false, ""},
		{"copy conflict", copyOf("", absent), reject(409, "ConditionalRequestConflict", ""), driver.Unavailable, false, ""},
		{"complete conflict", complete(absent), reject(409, "ConditionalRequestConflict", ""), driver.Mismatch, false, ""},
		{"another write under way", put(free), reject(409, "OperationAborted", ""), driver.Unavailable, false, ""},

		{"part changed", complete(free), reject(400, "InvalidPart", ""), driver.Mismatch, false, ""},
		{"part order", complete(free), reject(400, "InvalidPartOrder", ""), driver.Invalid, false, ""},
		{"part too small", complete(free), reject(400, "EntityTooSmall", ""), driver.Invalid, false, ""},
		{"too large", put(free), reject(400, "EntityTooLarge", ""), driver.TooLarge, false, ""},
		{"too large, complete", complete(free), reject(400, "EntityTooLarge", ""), driver.TooLarge, false, ""},
		{"too large for a proxy", put(free), func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "<html>too large", 413) }, driver.TooLarge, false, ""},
		{"full, MinIO", put(free), reject(507, "XMinioStorageFull", ""), driver.Full, false, ""},
		{"quota, MinIO", part, reject(400, "XMinioAdminBucketQuotaExceeded", ""), driver.Full, false, ""},
		{"unpaid account", put(free), reject(403, "AccountProblem", ""), driver.Full, false, ""},
		{"quota, Ceph", complete(free), reject(403, "QuotaExceeded", ""), driver.Full, false, ""},
		{"full, some other", copyOf("", free), reject(507, "InsufficientStorage", ""), driver.Full, false, ""},
		{"full, without a document", put(absent), reject(507, "", ""), driver.Full, false, ""},
		{"range", open1, reject(416, "InvalidRange", ""), driver.OutOfRange, false, ""},
		{"some other 400", put(free), reject(400, "InvalidArgument", ""), driver.Invalid, false, ""},

		{"denied", put(free), reject(403, "AccessDenied", ""), driver.Denied, false, "lack a permission"},
		{"denied HEAD", stat, reject(403, "", ""), driver.Denied, false, "lack a permission"},
		{"session ended, HEAD", stat, reject(400, "", ""), driver.Denied, false, "gives no reason"},
		{"unknown key", put(free), reject(403, "InvalidAccessKeyId", ""), driver.Denied, false, "does not know this access key"},
		{"wrong secret", put(free), reject(403, "SignatureDoesNotMatch", ""), driver.Denied, false, "secret key"},
		{"session ended", put(free), reject(400, "ExpiredToken", ""), driver.Denied, false, "renew"},
		{"clocks", put(free), reject(403, "RequestTimeTooSkewed", "", "Date", "Tue, 01 Jan 2030 00:00:00 GMT"), driver.Denied, false, "the store's clock says 2030-01-01T00:00:00Z, this machine's"},
		{"KMS", put(free), reject(400, "KMS.DisabledException", ""), driver.Denied, false, "check the key's state"},
		{"archived", open1, reject(403, "InvalidObjectState", ""), driver.Unsupported, false, "restore"},

		{"region by header", put(free), reject(301, "PermanentRedirect", "", "X-Amz-Bucket-Region", "eu-west-3"), driver.Invalid, false, "the store says that the region is eu-west-3, requests were signed for eu-test-1"},
		{"region by document", put(free), reject(400, "AuthorizationHeaderMalformed", "<Region>us-west-2</Region>"), driver.Invalid, false, "region is us-west-2"},
		{"region, HEAD", stat, reject(301, "", "", "X-Amz-Bucket-Region", "eu-west-3"), driver.Invalid, false, "region is eu-west-3"},
		{"region, HEAD with 400", stat, reject(400, "", "", "X-Amz-Bucket-Region", "eu-west-3"), driver.Invalid, false, "region is eu-west-3"},
		{"new bucket", put(free), reject(307, "TemporaryRedirect", "", "Location", "http://127.0.0.1:1/"), driver.Unavailable, false, ""},

		{"slow down", put(free), reject(503, "SlowDown", "", "Retry-After", "7"), driver.Throttled, false, ""},
		{"slow down, HEAD", stat, phrase("503 Slow Down"), driver.Throttled, false, ""},
		{"unavailable, HEAD", stat, phrase("503 Service Unavailable"), driver.Unavailable, false, ""},
		{"some other phrase, HEAD", stat, phrase("503 Backend fetch failed"), driver.Unavailable, false, ""},
		{"429 with R2's code", put(free), reject(429, "ServiceUnavailable", ""), driver.Throttled, false, ""},
		{"429 with a code of a refusal", put(free), reject(429, "AccessDenied", ""), driver.Throttled, false, ""},
		{"429 with an unknown code", put(free), reject(429, "Surprise", ""), driver.Throttled, false, ""},
		{"429 from a proxy", put(free), func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "<html>busy", 429) }, driver.Throttled, false, ""},
		{"503 from a proxy", put(free), func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "<html>busy", 503) }, driver.Unavailable, true, ""},
		{"429", stat, reject(429, "", ""), driver.Throttled, false, ""},
		{"request limit", part, reject(400, "RequestLimitExceeded", ""), driver.Throttled, false, ""},
		{"inner fault, put", put(absent), reject(500, "InternalError", ""), driver.Unavailable, true, ""},
		{"inner fault, read", open1, reject(500, "InternalError", ""), driver.Unavailable, false, ""},
		{"bad gateway", complete(free), func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "<html>gateway", 502) }, driver.Unavailable, true, ""},
		{"body too slow", put(free), reject(400, "RequestTimeout", ""), driver.Unavailable, false, ""},
		{"not implemented", put(free), reject(501, "NotImplemented", ""), driver.Unsupported, false, ""},

		{"bad digest", put(free), reject(400, "BadDigest", ""), driver.Corrupt, false, ""},
		{"bad checksum", part, reject(400, "XAmzContentChecksumMismatch", ""), driver.Corrupt, false, ""},
		{"bad payload hash", put(free), reject(400, "XAmzContentSHA256Mismatch", ""), driver.Corrupt, false, ""},

		// S3 begins a long reply before it knows how the request ends.
		{"error in a 200, complete", complete(free), reject(200, "InternalError", ""), driver.Unavailable, true, ""},
		{"error in a 200, copy", copyOf("", free), reject(200, "SlowDown", ""), driver.Throttled, false, ""},
		{"200 that breaks off", complete(free), func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "<CompleteMultipartUploadResult><ETag>")
			panic(http.ErrAbortHandler)
		}, driver.Unavailable, true, ""},
		{"reset after the request", put(absent), func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, driver.Unavailable, true, ""},
		{"reset after a read", stat, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, driver.Unavailable, false, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b, f := fakeStore(t, tt.answer, func(c *Config) { c.Conditions = ConditionsAll })
			err := tt.do(t.Context(), b)
			var e *driver.Error
			if !errors.As(err, &e) {
				t.Fatalf("got %v, want a *driver.Error", err)
			}
			if e.Kind != tt.kind || e.OutcomeUnknown != tt.outcomeUnknown {
				t.Errorf("got %v with OutcomeUnknown %v, want %v with %v\n%v", e.Kind, e.OutcomeUnknown, tt.kind, tt.outcomeUnknown, err)
			}
			if !strings.Contains(err.Error(), tt.hint) {
				t.Errorf("message lacks %q: %v", tt.hint, err)
			}
			if e.Key != "key" || e.Op == "" {
				t.Errorf("error is about %q of %q", e.Op, e.Key)
			}
			if n := len(f.take()); n != 1 {
				t.Errorf("%d requests were sent, want 1", n)
			}
			noSecrets(t, err)
		})
	}
}

// phrase answers with a status and reason phrase, and no body.
func phrase(status string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, "HTTP/1.1 "+status+"\r\nX-Amz-Request-Id: REQ1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
	}
}

func TestErrorFields(t *testing.T) {
	b, _ := fakeStore(t, reject(503, "SlowDown", "", "Retry-After", "7"))
	err := put(free)(t.Context(), b)
	var e *driver.Error
	if !errors.As(err, &e) || e.Op != driver.OpPut || e.Status != 503 || e.Code != "SlowDown" || e.RequestID != "REQ1" || e.RetryAfter != 7*time.Second {
		t.Errorf("got %+v", e)
	}
	var api smithy.APIError
	if !errors.As(err, &api) || api.ErrorCode() != "SlowDown" {
		t.Error("the SDK's error is out of reach")
	}
	if want := `put "key": throttled (SlowDown, status 503, request REQ1): told by the store`; err.Error() != want {
		t.Errorf("message is %q, want %q", err, want)
	}
}

func TestGoneIsFine(t *testing.T) {
	b, _ := fakeStore(t, reject(404, "NoSuchUpload", ""))
	if err := abort(t.Context(), b); err != nil {
		t.Errorf("AbortUpload of one that is gone: %v", err)
	}
	b, _ = fakeStore(t, reject(404, "NoSuchKey", ""))
	if err := remove(t.Context(), b); err != nil {
		t.Errorf("Delete of an absent key: %v", err)
	}
}

// TestNoUploads lists uploads of a store that says of none what others say of an upload that
// is gone. A bucket that is gone is an error.
func TestNoUploads(t *testing.T) {
	b, _ := fakeStore(t, reject(404, noSuchUpload, ""))
	if page, err := b.UploadsPage(t.Context(), driver.ListRequest{}); err != nil || len(page.Items) != 0 || page.Next != "" {
		t.Errorf("no upload: %+v, %v", page, err)
	}
	b, _ = fakeStore(t, reject(404, "NoSuchBucket", ""))
	if _, err := b.UploadsPage(t.Context(), driver.ListRequest{}); !errors.Is(err, driver.NoBucket) {
		t.Errorf("no bucket: %v", err)
	}
}

func TestDeadEndpoint(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	b := openTest(t, testConfig("http://"+l.Addr().String()))
	everyVerb(t, b, func(op driver.Op, err error) {
		if driver.KindOf(err) != driver.Unavailable || driver.OutcomeUnknown(err) || !strings.Contains(err.Error(), l.Addr().String()) {
			t.Errorf("%s: got %v, want %v and nothing done", op, err, driver.Unavailable)
		}
		noSecrets(t, err)
	})
	err = put(free)(t.Context(), openTest(t, testConfig("http://no-such-host.invalid")))
	if driver.KindOf(err) != driver.Unavailable || driver.OutcomeUnknown(err) {
		t.Errorf("unknown host: got %v, want %v and nothing done", err, driver.Unavailable)
	}
}

// What the SDK refuses on its own is no fault of the store's that passes.
func TestRefusedBySDK(t *testing.T) {
	c := testConfig("")
	c.Profile, c.Bucket, c.Accelerate = "aws", "not.for.acceleration", true
	if err := stat(t.Context(), openTest(t, c)); driver.KindOf(err) != driver.Invalid {
		t.Errorf("got %v, want %v", err, driver.Invalid)
	}
}

// A dialer that gives up says context.DeadlineExceeded; the caller's has not passed.
func TestDialTimeout(t *testing.T) {
	c := testConfig("http://192.0.2.1:9") // set aside for documentation: nobody answers
	c.DialTimeout = 20 * time.Millisecond
	err := stat(t.Context(), openTest(t, c))
	if driver.KindOf(err) != driver.Unavailable || driver.IsContextError(err) {
		t.Errorf("got %v, want %v that does not read as the caller's deadline", err, driver.Unavailable)
	}
}

func TestContextEnds(t *testing.T) {
	started := make(chan struct{}, 100)
	release := make(chan struct{})
	b, f := fakeStore(t, func(http.ResponseWriter, *http.Request) { started <- struct{}{}; <-release })
	defer close(release)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := put(free)(ctx, b)
	if !errors.Is(err, context.Canceled) || driver.KindOf(err) != driver.Unknown || driver.OutcomeUnknown(err) {
		t.Errorf("ended before: got %v", err)
	}
	if n := len(f.take()); n != 0 {
		t.Errorf("ended before: %d requests were sent", n)
	}

	ctx, cancel = context.WithCancel(t.Context())
	go func() { <-started; cancel() }()
	err = put(free)(ctx, b)
	if !errors.Is(err, context.Canceled) || driver.KindOf(err) != driver.Unknown || !driver.OutcomeUnknown(err) {
		t.Errorf("ended while the reply was awaited: got %v", err)
	}

	ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	err = stat(ctx, b)
	if !errors.Is(err, context.DeadlineExceeded) || driver.OutcomeUnknown(err) {
		t.Errorf("deadline during a read: got %v", err)
	}
}

func TestBrokenBody(t *testing.T) {
	b, _ := fakeStore(t, answers, func(c *Config) { c.Checksum = ChecksumNone })
	short := io.NewSectionReader(strings.NewReader("hello"), 0, 10)
	_, putErr := b.Put(t.Context(), "key", short, driver.WriteOptions{})
	_, partErr := b.PutPart(t.Context(), testUpload, 1, short)
	for what, err := range map[string]error{"Put": putErr, "PutPart": partErr} {
		if !errors.Is(err, io.ErrUnexpectedEOF) || driver.OutcomeUnknown(err) || driver.KindOf(err) != driver.Unknown {
			t.Errorf("%s of a short body: got %v", what, err)
		}
	}
}

// TestRequestIDs names both ids that Amazon's support asks for.
func TestRequestIDs(t *testing.T) {
	b, _ := fakeStore(t, reject(403, "AccessDenied", "", "X-Amz-Id-2", "host/id+2="))
	err := put(free)(t.Context(), b)
	if !strings.Contains(err.Error(), "request REQ1, x-amz-id-2 host/id+2=") {
		t.Errorf("got %v", err)
	}
}

// TestHintsOfPermission names a permission only where one is what is missing.
func TestHintsOfPermission(t *testing.T) {
	for _, tt := range []struct {
		status     int
		code       string
		permission bool
	}{
		{403, "AccessDenied", true}, {403, "InvalidAccessKeyId", false}, {403, "AllAccessDisabled", false},
		{403, "NotSignedUp", false}, {400, "KMS.DisabledException", false}, {400, "ExpiredToken", false},
	} {
		b, _ := fakeStore(t, reject(tt.status, tt.code, ""))
		var e *driver.Error
		if err := put(free)(t.Context(), b); !errors.As(err, &e) || e.Kind != driver.Denied || e.OtherThanPermission == tt.permission {
			t.Errorf("%s: %+v", tt.code, e)
		}
	}
}

// TestUploadsPages reads listings of uploads as other stores than Amazon's write them: with the
// uploads of the key that they start after (Ceph), and with more pages and no word where the next
// one begins (Swift).
func TestUploadsPages(t *testing.T) {
	upload := func(key, id string) string {
		return fmt.Sprintf("<Upload><Key>%s</Key><UploadId>%s</UploadId><Initiated>2030-01-01T00:00:00Z</Initiated></Upload>", key, id)
	}
	b, f := fakeStore(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(w, "<ListMultipartUploadsResult><IsTruncated>true</IsTruncated><NextKeyMarker/><NextUploadIdMarker/>%s%s</ListMultipartUploadsResult>", upload("a", "u1"), upload("b", "u2"))
	})
	page, err := b.UploadsPage(t.Context(), driver.ListRequest{StartAfter: "a"})
	if err != nil || len(page.Items) != 1 || page.Items[0].Key != "b" || page.Next == "" {
		t.Fatalf("%+v, %v, want b and another page", page, err)
	}
	f.take()
	if _, err := b.UploadsPage(t.Context(), driver.ListRequest{Token: page.Next}); err != nil {
		t.Fatal(err)
	}
	if got := f.take(); len(got) != 1 || !strings.Contains(got[0].uri, "key-marker=b&") || !strings.Contains(got[0].uri, "upload-id-marker=u2") {
		t.Errorf("the next page is asked by %+v", got)
	}
}

// TestWrongEndpoint lists where no store is: the answer of another server is no empty listing, and
// no missing key.
func TestWrongEndpoint(t *testing.T) {
	for _, code := range []string{"", "NoSuchBucket", "Unheard"} {
		b, _ := fakeStore(t, reject(404, code, ""))
		if _, err := b.ListPage(t.Context(), driver.ListRequest{}); !errors.Is(err, driver.NoBucket) {
			t.Errorf("404 %s: got %v, want %v", code, err, driver.NoBucket)
		}
	}
}
