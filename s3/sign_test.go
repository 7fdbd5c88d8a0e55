package s3

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/blobdock/blobdock/driver"
)

func TestSign(t *testing.T) {
	c := testConfig("https://store.example.com")
	c.Prefix = "p"
	b := openTest(t, c)
	tests := []struct {
		r     driver.SignRequest
		path  string
		query map[string]string
	}{
		{
			driver.SignRequest{Method: http.MethodGet, Key: "a b", ContentType: "text/x", CacheControl: "no-store", ContentDisposition: "inline"},
			"/bucket/p/a%20b",
			map[string]string{"response-content-type": "text/x", "response-cache-control": "no-store", "response-content-disposition": "inline"},
		},
		{driver.SignRequest{Method: http.MethodHead, Key: "key"}, "/bucket/p/key", nil},
		{
			driver.SignRequest{Method: http.MethodPut, Key: "key", Upload: testUpload, Part: 3},
			"/bucket/p/key", map[string]string{"uploadId": "up1", "partNumber": "3"},
		},
	}
	for _, tt := range tests {
		tt.r.Expires = 90 * time.Second
		got, err := b.features.Sign(t.Context(), tt.r)
		if err != nil {
			t.Errorf("%+v: %v", tt.r, err)
			continue
		}
		u, err := url.Parse(got.URL)
		if err != nil {
			t.Fatal(err)
		}
		q := u.Query()
		if u.Scheme+"://"+u.Host+u.EscapedPath() != "https://store.example.com"+tt.path {
			t.Errorf("URL is %s", got.URL)
		}
		if q.Get("X-Amz-Expires") != "90" || q.Get("X-Amz-SignedHeaders") != "host" || len(got.Header) != 0 || q.Has("X-Amz-Checksum-Mode") {
			t.Errorf("%s signs %v with headers %v", tt.r.Method, q, got.Header)
		}
		for name, want := range tt.query {
			if q.Get(name) != want {
				t.Errorf("%s: %s is %q, want %q", tt.r.Method, name, q.Get(name), want)
			}
		}
		if d := time.Until(got.Expires); d < 80*time.Second || d > 90*time.Second {
			t.Errorf("expires in %v", d)
		}
		if s := got.String(); strings.Contains(s, "Signature") || strings.Contains(s, testAccessKey) {
			t.Errorf("String shows the signature: %s", s)
		}
	}
}

// session is credentials that end.
type session time.Duration

func (s session) Retrieve(context.Context) (aws.Credentials, error) {
	return aws.Credentials{
		AccessKeyID: testAccessKey, SecretAccessKey: testSecretKey, SessionToken: testToken,
		CanExpire: true, Expires: time.Now().Add(time.Duration(s)),
	}, nil
}

// What redirected clients are given is signed for the host that they ask.
func TestSignForAnotherHost(t *testing.T) {
	for style, want := range map[bool]string{true: "https://blobs.example.com/bucket/key", false: "https://bucket.blobs.example.com/key"} {
		c := testConfig("http://10.0.0.1:9000")
		c.RedirectEndpoint, c.PathStyle = "https://blobs.example.com/", &style
		got, err := openTest(t, c).features.Sign(t.Context(), driver.SignRequest{Method: http.MethodGet, Key: "key", Expires: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		if at, _, _ := strings.Cut(got.URL, "?"); at != want {
			t.Errorf("path style %v: got %s, want %s", style, at, want)
		}
	}
}

func TestSignExpiry(t *testing.T) {
	const day = 24 * time.Hour
	tests := []struct {
		name         string
		credentials  aws.CredentialsProvider // nil: they don't end
		asked, given time.Duration
	}{
		{"as asked", nil, time.Hour, time.Hour},
		{"longest", nil, 8 * day, 7 * day},
		{"whole seconds", nil, 1500 * time.Millisecond, time.Second},
		{"session is longer", session(2 * time.Hour), time.Hour, time.Hour},
		{"session ends first", session(10 * time.Minute), time.Hour, 10 * time.Minute},
	}
	for _, tt := range tests {
		b := openTest(t, testConfig("https://store.example.com"))
		if tt.credentials != nil {
			b.keys = &keyring{fetch: tt.credentials.Retrieve}
		}
		got, err := b.features.Sign(t.Context(), driver.SignRequest{Method: http.MethodGet, Key: "key", Expires: tt.asked})
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		u, _ := url.Parse(got.URL)
		seconds, _ := strconv.Atoi(u.Query().Get("X-Amz-Expires"))
		inURL, told := time.Duration(seconds)*time.Second, time.Until(got.Expires)
		if inURL > tt.given || inURL < tt.given-2*time.Second || told > tt.given || told < tt.given-5*time.Second {
			t.Errorf("%s: the URL says %v and the reply %v, want %v", tt.name, inURL, told, tt.given)
		}
	}
}

func TestSignRefused(t *testing.T) {
	b := openTest(t, testConfig("https://store.example.com"))
	for _, tt := range []struct {
		r    driver.SignRequest
		want driver.Kind
	}{
		{driver.SignRequest{Method: http.MethodDelete, Key: "key", Expires: time.Minute}, driver.Unsupported},
		{driver.SignRequest{Method: http.MethodGet, Key: "", Expires: time.Minute}, driver.Invalid},
		{driver.SignRequest{Method: http.MethodGet, Key: "key"}, driver.Invalid},
		{driver.SignRequest{Method: http.MethodPut, Key: "key", Expires: time.Minute}, driver.Invalid},
		{driver.SignRequest{Method: http.MethodPut, Key: "other", Upload: testUpload, Part: 1, Expires: time.Minute}, driver.Invalid},
		{driver.SignRequest{Method: http.MethodPut, Key: "key", Upload: testUpload, Part: 10_001, Expires: time.Minute}, driver.Invalid},
	} {
		if _, err := b.features.Sign(t.Context(), tt.r); driver.KindOf(err) != tt.want {
			t.Errorf("%+v: got %v, want %v", tt.r, err, tt.want)
		}
	}
	b.keys = &keyring{fetch: session(-time.Minute).Retrieve}
	if _, err := b.features.Sign(t.Context(), driver.SignRequest{Method: http.MethodGet, Key: "key", Expires: time.Minute}); !errors.Is(err, driver.Denied) {
		t.Errorf("with credentials that have ended: got %v", err)
	}
}
