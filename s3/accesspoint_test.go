package s3

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/blobdock/blobdock/driver"
)

const testARN = "arn:aws:s3:eu-west-1:123456789012:accesspoint/my-point"

// amazon opens a bucket, and has all its requests go to a fake store, by whatever name it
// calls that.
func amazon(t *testing.T, c Config) (b *Bucket, take func() []*http.Request) {
	t.Helper()
	var mu sync.Mutex
	var got []*http.Request
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		got = append(got, r.Clone(context.Background()))
		mu.Unlock()
		answers(w, r)
	}))
	t.Cleanup(srv.Close)
	c.AccessKeyID, c.SecretAccessKey, c.SkipVerify = testAccessKey, testSecretKey, true
	b = openTest(t, c)
	b.transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, srv.Listener.Addr().String())
	}
	return b, func() []*http.Request {
		mu.Lock()
		defer mu.Unlock()
		all := got
		got = nil
		return all
	}
}

// TestAccessPoint looks at the requests to access points: their host, what is signed for which
// region, and the source of copies.
func TestAccessPoint(t *testing.T) {
	const host, alias = "my-point-123456789012.s3-accesspoint.eu-west-1.amazonaws.com", "my-point-abcdefghijklmnopqrstuvwxyz123456-s3alias"
	for _, tt := range []struct {
		name   string
		url    string
		host   string
		source string
	}{
		{"ARN", "s3://" + testARN + "/a/b", host, testARN + "/object/a/b/"},
		{"ARN with colons", "s3://arn:aws:s3:eu-west-1:123456789012:accesspoint:my-point/a/b", host, testARN + "/object/a/b/"},
		{"ARN alone", "s3://" + testARN + "?region=eu-west-1", host, testARN + "/object/"},
		{"China", "s3://arn:aws-cn:s3:cn-north-1:123456789012:accesspoint/my-point/a", "my-point-123456789012.s3-accesspoint.cn-north-1.amazonaws.com.cn",
			"arn:aws-cn:s3:cn-north-1:123456789012:accesspoint/my-point/object/a/"},
		{"dual stack", "s3://" + testARN + "?dual_stack=true", "my-point-123456789012.s3-accesspoint.dualstack.eu-west-1.amazonaws.com", testARN + "/object/"},
		{"FIPS", "s3://" + testARN + "?fips=true", "my-point-123456789012.s3-accesspoint-fips.eu-west-1.amazonaws.com", testARN + "/object/"},
		{"PrivateLink", "s3://" + testARN + "?profile=aws&endpoint=https://accesspoint.vpce-1a2b3c4d-5e6f.s3.eu-west-1.vpce.amazonaws.com",
			"my-point-123456789012.accesspoint.vpce-1a2b3c4d-5e6f.s3.eu-west-1.vpce.amazonaws.com", testARN + "/object/"},
		{"alias", "s3://" + alias + "/a?region=eu-west-1", alias + ".s3.eu-west-1.amazonaws.com", alias + "/a/"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			u, err := driver.ParseURL(tt.url)
			if err != nil {
				t.Fatal(err)
			}
			c, err := parseURL(u, driver.NewParams(u.Query()))
			if err != nil {
				t.Fatal(err)
			}
			t.Setenv("AWS_REGION", "us-east-2") // is not the access point's
			b, take := amazon(t, c)
			prefix := string(b.prefix)
			if _, err := b.Put(t.Context(), "the key", section("x"), driver.WriteOptions{}); err != nil {
				t.Fatal(err)
			}
			src := driver.Source{Key: "the key", Range: driver.Range{Len: 5 * mib}}
			_, _ = b.features.Copy(t.Context(), driver.CopyRequest{Src: driver.Source{Key: src.Key}, Dst: "copy"})
			_, _ = b.features.CopyPart(t.Context(), driver.Upload{Key: "copy", ID: "id"}, 1, src)
			_, _ = b.ListPage(t.Context(), driver.ListRequest{})
			_, _ = b.UploadsPage(t.Context(), driver.ListRequest{})
			_ = b.features.DeleteBatch(t.Context(), driver.Refs("copy"))
			_ = b.Delete(t.Context(), "copy", driver.DeleteOptions{NotAfter: time.Now().Add(time.Minute)})
			all := take()
			if len(all) != 7 {
				t.Fatalf("%d requests", len(all))
			}
			scope := "/" + b.region + "/s3/aws4_request"
			for i, r := range all {
				if r.Host != tt.host || strings.Contains(r.URL.Path, "arn") {
					t.Errorf("request %d goes to %s%s, want host %s", i, r.Host, r.URL.Path, tt.host)
				}
				if by := r.Header.Get("Authorization") + r.URL.Query().Get("X-Amz-Credential"); !strings.Contains(by, scope) || b.region == "us-east-2" {
					t.Errorf("request %d is signed for another region than %s: %s", i, scope, by)
				}
				source, err := url.PathUnescape(r.Header.Get("X-Amz-Copy-Source"))
				if want := map[int]string{1: tt.source + "the key", 2: tt.source + "the key"}[i]; err != nil || source != want {
					t.Errorf("request %d copies %q, want %q", i, source, want)
				}
			}
			if got, want := all[0].URL.Path, "/"+prefix+"the key"; got != want {
				t.Errorf("path %q, want %q", got, want)
			}
			signed, err := b.features.Sign(t.Context(), driver.SignRequest{Method: http.MethodGet, Key: "key", Expires: time.Minute})
			if err != nil || !strings.HasPrefix(signed.URL, "https://"+tt.host+"/"+prefix+"key?") {
				t.Errorf("signed URL %s, %v", signed, err)
			}
		})
	}
}

// TestAccessPointRefused names what can't be, and why.
func TestAccessPointRefused(t *testing.T) {
	for _, tt := range []struct {
		url  string
		want string
	}{
		{"s3://arn:aws:s3::123456789012:accesspoint/mfzwi23gnjvgw.mrap/a", "the bucket of one region"},
		{"s3://arn:aws:s3-outposts:us-west-2:123456789012:outpost/op-1/accesspoint/p", "such as arn:aws:s3:eu-west-1"},
		{"s3://arn:aws:s3-object-lambda:us-west-2:123456789012:accesspoint/p", "such as arn:aws:s3:eu-west-1"},
		{"s3://arn:aws:s3:::bucket/a", "such as arn:aws:s3:eu-west-1"},
		{"s3://arn:aws:s3:eu-west-1:123456789012:accesspoint", "such as arn:aws:s3:eu-west-1"},
		{"s3://arn:aws:s3:eu-west-1:123456789012:accesspoint/My_Point", "such as arn:aws:s3:eu-west-1"},
		{"s3://" + testARN + "?path_style=true", "path_style"},
		{"s3://" + testARN + "?accelerate=true", "accelerate"},
		{"s3://" + testARN + "?anonymous=true", "anonymous"},
		{"s3://" + testARN + "?region=us-east-1", "the access point is in eu-west-1"},
		{"s3://" + testARN + "?endpoint=https://minio.example.com", "Amazon S3 alone"},
		{"s3://" + testARN + "?profile=aws&endpoint=http://vpce.example.com", "https"},
		{"s3://point-s3alias?region=eu-west-1&path_style=true", "path_style"},
		{"s3://point-s3alias?region=eu-west-1&accelerate=true", "accelerate"},
		{"s3://point--usw2-az1--xa-s3?region=us-west-2", "directory buckets"},
		{"s3://arn:aws:s3:eu-west-1:user@123456789012:accesspoint/p", "not a URL"},
	} {
		_, err := driver.Open(t.Context(), tt.url)
		if !errors.Is(err, driver.Invalid) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want one with %q", tt.url, err, tt.want)
		}
	}
	// Another store's bucket may have any name.
	if b, err := driver.Open(t.Context(), "s3://point-s3alias?endpoint=http://minio.example.com&path_style=true"); err != nil {
		t.Error(err)
	} else {
		_ = b.Close()
	}
}
