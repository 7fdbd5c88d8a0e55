package laws_test

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/blobdock/blobdock/integration/emulator"
	"github.com/blobdock/blobdock/integration/laws"
)

func virtualHost(t *testing.T) {
	c := newS3Client(t, laws.Options{}, "oss")
	_, err := c.put(t, "key", "x")
	wantCode(t, "in the path", err, "SecondLevelDomainForbidden")
	c.holds(t, "key", "")
	c.refused(t, "virtual-host", 1)

	// No resolver need know buckets by name: the client takes the store for its proxy.
	proxy, err := url.Parse(c.through.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	c.Client = s3.New(c.Options(), func(o *s3.Options) {
		o.UsePathStyle = false
		o.HTTPClient = &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(proxy)}}
	})
	c.mustPut(t, "a key/+ü", "content")
	c.holds(t, "a key/+ü", "content")
	list, err := c.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: c.bucket})
	if wantCode(t, "list", err, ""); len(list.Contents) != 1 || aws.ToString(list.Contents[0].Key) != "a key/+ü" {
		t.Errorf("listed %v", list.Contents)
	}
	_, err = c.small(t, "parts", nil)
	wantCode(t, "in parts", err, "")
	c.refused(t, "virtual-host", 1)

	c = newS3Client(t, laws.Options{S3: laws.S3Options{PathStyle: true}}, "virtual-host")
	c.mustPut(t, "key", "x")
}

func clockSkew(t *testing.T) {
	const skew = 20 * time.Minute
	c, last := newS3Client(t, laws.Options{S3: laws.S3Options{ClockSkew: skew}}, "clock-skew").seen()
	_, err := c.put(t, "key", "x")
	wantCode(t, "with our clock", err, "RequestTimeTooSkewed")
	c.holds(t, "key", "")
	ahead := func(what, date string) {
		t.Helper()
		if at, err := http.ParseTime(date); err != nil || (time.Until(at)-skew).Abs() > 5*time.Second {
			t.Errorf("%s: %s, want the store's clock", what, date)
		}
	}
	ahead("refusal", last.header.Get("Date"))
	_, _ = c.head(t, "key")
	ahead("refused HEAD", last.header.Get("Date"))

	// The SDK corrects its clock by the refusal.
	c.Client = s3.New(c.Options(), func(o *s3.Options) { o.RetryMaxAttempts, o.Retryer = 3, retry.NewStandard() })
	c.mustPut(t, "key", "x")
	out, err := c.head(t, "key")
	wantCode(t, "head", err, "")
	ahead("HEAD", last.header.Get("Date"))
	ahead("LastModified", out.LastModified.Format(http.TimeFormat))
	list, err := c.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: c.bucket})
	wantCode(t, "list", err, "")
	ahead("LastModified in a list", list.Contents[0].LastModified.Format(http.TimeFormat))

	signed := c.presigned(t, "key", 10*time.Minute)
	if res, body := fetch(t, signed); res.StatusCode != http.StatusForbidden || !strings.Contains(body, "Request has expired") {
		t.Errorf("a URL that has ended by the store's clock: %s %s", res.Status, body)
	}
	if res, body := fetch(t, c.presigned(t, "key", time.Hour)); body != "x" {
		t.Errorf("a URL that has not: %s %s", res.Status, body)
	}
	within := newS3Client(t, laws.Options{S3: laws.S3Options{ClockSkew: -14 * time.Minute}}, "clock-skew")
	within.mustPut(t, "key", "x")
}

func (c s3Client) presigned(t *testing.T, key string, life time.Duration) string {
	t.Helper()
	signed, err := s3.NewPresignClient(c.Client).PresignGetObject(t.Context(), &s3.GetObjectInput{Bucket: c.bucket, Key: &key}, s3.WithPresignExpires(life))
	wantCode(t, "presign", err, "")
	return signed.URL
}

func fetch(t *testing.T, target string) (*http.Response, string) {
	t.Helper()
	res, err := http.Get(target)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(body)
}

func tokenExpiry(t *testing.T) {
	const life = 500 * time.Millisecond
	c, last := newS3Client(t, laws.Options{S3: laws.S3Options{TokenLife: life}}, "token-expiry").seen()
	with := func(token string) s3Client {
		c.Client = s3.New(c.Options(), func(o *s3.Options) {
			o.Credentials = credentials.NewStaticCredentialsProvider(c.through.AccessKey, c.through.SecretKey, token)
		})
		return c
	}
	c = with("first")
	id := c.create(t, "key")
	part := c.part(t, "key", id, 1, 1)
	signed := c.presigned(t, "key", time.Hour)
	time.Sleep(life)
	wantCode(t, "ended during the upload", c.complete(t, "key", id, part), "ExpiredToken")
	c.holds(t, "key", "")
	if _, err := c.head(t, "key"); err == nil || last.status != "400 Bad Request" {
		t.Errorf("HEAD: %v, %s, want 400", err, last.status)
	}
	c = with("second")
	wantCode(t, "with another token", c.complete(t, "key", id, part), "")
	if res, body := fetch(t, signed); res.StatusCode != http.StatusBadRequest || !strings.Contains(body, "ExpiredToken") {
		t.Errorf("a URL of the first token: %s %s", res.Status, body)
	}
	time.Sleep(life)
	c = with("")
	c.mustPut(t, "key", "x") // lasting credentials
	c.refused(t, "token-expiry", 3)
}

// TestSeal shows that signatures count although requests are signed anew.
func TestSeal(t *testing.T) {
	t.Parallel()
	c := newS3Client(t, laws.Options{}, "token-expiry")
	c.mustPut(t, "a key/+ü", "content")
	signed := c.presigned(t, "a key/+ü", time.Hour)
	if res, body := fetch(t, signed); body != "content" {
		t.Errorf("presigned: %s %s", res.Status, body)
	}
	for what, edit := range map[string]struct{ from, to string }{
		"another key":     {"a%20key", "b%20key"},
		"a longer life":   {"X-Amz-Expires=3600", "X-Amz-Expires=3601"},
		"a parameter":     {"X-Amz-Expires=", "response-content-type=text%2Fhtml&X-Amz-Expires="},
		"another day":     {"us-east-1", "us-east-2"},
		"no signature":    {"X-Amz-Signature=", "X-Amz-Signature=0"},
		"another content": {"x-id=GetObject", "x-id=PutObject"},
	} {
		res, body := fetch(t, strings.Replace(signed, edit.from, edit.to, 1))
		if res.StatusCode/100 != 4 || strings.Contains(body, "content") {
			t.Errorf("%s: %s %s", what, res.Status, body)
		}
	}
	if res, body := fetch(t, c.presigned(t, "a key/+ü", time.Second)); body != "content" {
		t.Errorf("presigned for a second: %s %s", res.Status, body)
	}
	short := c.presigned(t, "a key/+ü", time.Second)
	if res, _ := fetch(t, c.through.Endpoint+"/"+*c.bucket+"/a%20key/%2B%C3%BC"); res.StatusCode != http.StatusForbidden {
		t.Errorf("not signed: %s, want 403", res.Status)
	}

	as := func(edit func(*emulator.S3)) s3Client {
		s, c := c.through, c
		edit(&s)
		c.Client = s3.New(s3OptionsOf(s, ""))
		return c
	}
	_, err := as(func(s *emulator.S3) { s.SecretKey = "wrong" }).put(t, "key", "x")
	wantCode(t, "a wrong secret", err, "SignatureDoesNotMatch")
	_, err = as(func(s *emulator.S3) { s.AccessKey = "wrong" }).put(t, "key", "x")
	wantCode(t, "a wrong key", err, "InvalidAccessKeyId")
	_, err = as(func(s *emulator.S3) { s.Region = "eu-central-1" }).put(t, "key", "x")
	wantCode(t, "a wrong region", err, "AuthorizationHeaderMalformed")
	c.holds(t, "key", "")

	if res, body := c.raw(t, "STREAMING-UNSIGNED-PAYLOAD-TRAILER"); res.StatusCode != http.StatusOK {
		t.Errorf("chunks with a trailer: %s %s", res.Status, body)
	}
	c.holds(t, "raw", "hello")
	if res, body := c.raw(t, "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"); res.StatusCode != http.StatusNotImplemented {
		t.Errorf("signed chunks: %s %s, want 501", res.Status, body)
	}
	if res, body := c.raw(t, strings.Repeat("0", 64)); res.StatusCode/100 != 4 {
		t.Errorf("a body with another hash: %s %s", res.Status, body)
	}
	time.Sleep(time.Second)
	if res, body := fetch(t, short); res.StatusCode != http.StatusForbidden || !strings.Contains(body, "Request has expired") {
		t.Errorf("a URL after its end: %s %s", res.Status, body)
	}
}

// raw writes "hello" in chunks with a trailer, under a declared hash.
func (c s3Client) raw(t *testing.T, hash string) (*http.Response, string) {
	t.Helper()
	sum := base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE([]byte("hello"))))
	body := fmt.Sprintf("5\r\nhello\r\n0\r\nx-amz-checksum-crc32:%s\r\n\r\n", sum)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, c.through.Endpoint+"/"+*c.bucket+"/raw", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Amz-Content-Sha256", hash)
	req.Header.Set("Content-Encoding", "aws-chunked")
	req.Header.Set("X-Amz-Decoded-Content-Length", "5")
	req.Header.Set("X-Amz-Trailer", "x-amz-checksum-crc32")
	cred := aws.Credentials{AccessKeyID: c.through.AccessKey, SecretAccessKey: c.through.SecretKey}
	err = v4.NewSigner().SignHTTP(t.Context(), cred, req, hash, "s3", c.through.Region, time.Now(), func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(answer)
}
