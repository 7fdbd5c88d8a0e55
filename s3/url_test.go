package s3

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/blobdock/blobdock/driver"
)

func TestParseURL(t *testing.T) {
	tests := []struct {
		url  string
		want Config
	}{
		{"s3://bucket", Config{Bucket: "bucket"}},
		{"s3://bucket/a/b%20c/", Config{Bucket: "bucket", Prefix: "/a/b c/"}},
		{
			"s3://b?region=eu-west-1&endpoint=https://minio.example.com:9000&profile=minio&path_style=false&list_version=v1",
			Config{Bucket: "b", Region: "eu-west-1", Endpoint: "https://minio.example.com:9000", Profile: "minio", PathStyle: new(false), ListV1: new(true)},
		},
		{"s3://b?dual_stack=on&fips=true", Config{Bucket: "b", DualStack: true, FIPS: true}},
		{"s3://b?dual_stack=on&accelerate=1", Config{Bucket: "b", DualStack: true, Accelerate: true}},
		{
			"s3://b?credentials_file=/etc/c&aws_profile=p&role_arn=arn:aws:iam::1:role/r&external_id=e&role_duration=2h&sts_endpoint=https://sts.example.com",
			Config{Bucket: "b", CredentialsFile: "/etc/c", AWSProfile: "p", RoleARN: "arn:aws:iam::1:role/r", ExternalID: "e", RoleDuration: 2 * time.Hour, STSEndpoint: "https://sts.example.com"},
		},
		{
			"s3://b?sse=aws:kms&sse_kms_key_id=k&storage_class=STANDARD_IA&acl=private",
			Config{Bucket: "b", SSE: "aws:kms", SSEKMSKeyID: "k", StorageClass: "STANDARD_IA", ACL: "private"},
		},
		{
			"s3://b?sse=aws:kms&sse_kms_context=team=a,stage=prod%3D1",
			Config{Bucket: "b", SSE: "aws:kms", SSEKMSContext: map[string]string{"team": "a", "stage": "prod=1"}},
		},
		{"s3://b?checksum=crc64nvme&conditions=complete", Config{Bucket: "b", Checksum: ChecksumCRC64NVME, Conditions: ConditionsComplete}},
		{"s3://b?checksum=auto&conditions=auto&list_version=auto", Config{Bucket: "b"}},
		{
			"s3://b?part_size=16MiB&concurrency=4&copy_threshold=1GiB&copy_part_size=32MiB&copy_concurrency=3",
			Config{Bucket: "b", PartSize: 16 * mib, Concurrency: 4, CopyThreshold: gib, CopyPartSize: 32 * mib, CopyConcurrency: 3},
		},
		{
			"s3://b?skip_verify=yes&ca_file=ca&client_cert_file=c&client_key_file=k&max_conns=9&idle_conns=7&idle_timeout=9s&log_requests=on&dial_timeout=2s&stall_timeout=3m",
			Config{Bucket: "b", Network: driver.Network{SkipVerify: true, CAFile: "ca", ClientCertFile: "c", ClientKeyFile: "k",
				MaxConns: 9, IdleConns: 7, IdleTimeout: 9 * time.Second, LogRequests: true, DialTimeout: 2 * time.Second, StallTimeout: 3 * time.Minute}},
		},
		{"s3://b?part_copy=no", Config{Bucket: "b", PartCopy: new(false)}},
		{"s3://b?requester_pays=true&bucket_owner=123456789012", Config{Bucket: "b", RequesterPays: true, BucketOwner: "123456789012"}},
		{"s3://b?anonymous=true", Config{Bucket: "b", Anonymous: true}},
	}
	for _, tt := range tests {
		u, err := url.Parse(tt.url)
		if err != nil {
			t.Fatal(err)
		}
		got, err := parseURL(u, driver.NewParams(u.Query()))
		if err != nil {
			t.Errorf("ParseURL(%s): %v", tt.url, err)
			continue
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("ParseURL(%s) (-want +got):\n%s", tt.url, diff)
		}
	}
}

func TestBadURL(t *testing.T) {
	const region = "&region=eu-west-1"
	tests := []struct{ url, want string }{
		{"s3://", "no bucket"},
		{"s3:///prefix", "no bucket"},
		{"s3://b?regoin=x", `unknown parameter "regoin", valid ones are accelerate, access_key, acl, anonymous, aws_profile, bucket_owner, ca_file`},
		{"s3://b?access_key=s3cr3t", "access_key: a secret does not belong into a URL"},
		{"s3://b?secretkey=s3cr3t", "unknown parameter"},
		{"s3://b?sse_kms_context=a=b", "sse_kms_context: wants sse=aws:kms"},
		{"s3://b?sse=aws:kms&sse_kms_context=a", "want name=value"},
		{"s3://b?sse=aws:kms&sse_kms_context=a=b,a=c", "want name=value"},
		{"s3://b?sse=AES256&sse_customer_key_file=/k", "exclude each other"},
		{"s3://b?sse_customer_key_file=/no/such/file" + region, "sse_customer_key_file"},
		{"s3://AKID:s3cr3t@b", "credentials don't belong"},
		{"s3://b:9000", "endpoint parameter"},
		{"s3://b#frag", "write %23"},
		{"s3://b?region=x;y", "malformed"},
		{"s3://b?region=a" + region, "2 times"},
		{"s3://b?profile=amazon", "one of aws, minio"},
		{"s3://b?endpoint=minio:9000", "want a URL"},
		{"s3://b?endpoint=minio.example.com", "want a URL"},
		{"s3://b?endpoint=http://AKID:s3cr3t@minio", "credentials don't belong"},
		{"s3://b?endpoint=http://minio%3Fs3cr3t=1", "without query"},
		{"s3://b?path_style=maybe", "true or false"},
		{"s3://b?list_version=3", "one of auto, v1, v2"},
		{"s3://b?checksum=crc", "one of none, md5, crc32"},
		{"s3://b?conditions=some", "one of none, put, complete, all"},
		{"s3://b?sse=aes", "one of AES256, aws:kms"},
		{"s3://b?sse=AES256&sse_kms_key_id=k", "wants sse=aws:kms"},
		{"s3://b?storage_class=standard" + region, "one of STANDARD"},
		{"s3://b?storage_class=DEEP_ARCHIVE", "can't be read at once"},
		{"s3://b?acl=everyone", "one of private"},
		{"s3://b?anonymous=true&aws_profile=p", "excludes"},
		{"s3://b?external_id=e", "need a role_arn"},
		{"s3://b?client_cert_file=c", "go together"},
		{"s3://b?part_size=1MiB" + region, "aws takes 5MiB to 5GiB"},
		{"s3://b?part_size=16Mib2", "a size from"},
		{"s3://b?copy_part_size=6GiB" + region, "copy_part_size"},
		{"s3://b?copy_threshold=6GiB" + region, "copies at most 5GiB"},
		{"s3://b?concurrency=0", "a whole number"},
		{"s3://b?dial_timeout=5", "a duration"},
		{"s3://b", "no region"},
		{"s3://b?profile=minio", "profile minio needs an endpoint"},
		{"s3://b--use1-az4--x-s3?region=us-east-1", "list keys in no order"},
		{"s3://b?bucket_owner=me", "12 digits"},
		{"s3://b?endpoint=http://minio:9000&fips=true", "endpoint (or AWS_ENDPOINT_URL_S3) and fips exclude each other"},
		{"s3://b?ca_file=/no/such/file" + region, "ca_file"},
		{"s3://b?credentials_file=/no/such/file" + region, "credentials_file"},
		{"s3://b?aws_profile=nobody" + region, "AWS configuration"},
		{"s3://b/a/../b" + "?" + region, `".."`},
		{"s3://b/a//b" + "?" + region, "empty segment"},
	}
	for _, tt := range tests {
		_, err := driver.Open(context.Background(), tt.url)
		switch {
		case err == nil:
			t.Errorf("Open(%s): no error, want %q", tt.url, tt.want)
		case !strings.Contains(err.Error(), tt.want) || !errors.Is(err, driver.Invalid):
			t.Errorf("Open(%s): got %v, want %q", tt.url, err, tt.want)
		case strings.Contains(err.Error(), "s3cr3t"):
			t.Errorf("Open(%s) tells a secret: %v", tt.url, err)
		}
	}
}

func TestOpenURL(t *testing.T) {
	b, err := driver.Open(t.Context(), "s3://bucket/p?region=eu-west-1&part_size=16MiB&concurrency=6&copy_threshold=1GiB&copy_part_size=32MiB&copy_concurrency=3")
	if err != nil {
		t.Fatal(err)
	}
	f := b.Features()
	if f.Name != "s3/aws" || f.PartSize != 16*mib || f.Concurrency != 6 || f.CopyMax != gib ||
		f.Copying.PartSize != 32*mib || f.Copying.Concurrency != 3 {
		t.Errorf("features are %+v", f)
	}
	if f.Sign == nil || f.Copy == nil || f.CopyPart == nil || f.DeleteBatch == nil || f.BatchMax != 1000 || f.Uploads == nil {
		t.Errorf("features are %+v", f)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
}

func TestRegion(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(file, []byte("[profile other]\nregion = eu-profile-1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_CONFIG_FILE", file)
	tests := []struct {
		env, query, region, profile string
	}{
		{"", "region=eu-west-1", "eu-west-1", "aws"},
		{"eu-env-1", "", "eu-env-1", "aws"},
		{"eu-env-1", "region=eu-west-1", "eu-west-1", "aws"},
		{"", "aws_profile=other", "eu-profile-1", "aws"},
		{"eu-env-1", "endpoint=https://s3.eu-central-2.wasabisys.com", "eu-central-2", "wasabi"},
		{"", "endpoint=https://s3.wasabisys.com", "us-east-1", "wasabi"},
		{"", "endpoint=https://acct.r2.cloudflarestorage.com", "auto", "r2"},
		{"", "endpoint=http://localhost:9000", "us-east-1", "generic"},
		{"eu-env-1", "endpoint=http://localhost:9000&profile=ceph", "eu-env-1", "ceph"},
	}
	for _, tt := range tests {
		t.Setenv("AWS_REGION", tt.env)
		b, err := driver.Open(t.Context(), "s3://bucket?"+tt.query)
		if err != nil {
			t.Errorf("%s: %v", tt.query, err)
			continue
		}
		got := b.(*Bucket)
		if r := got.client.Options().Region; r != tt.region || got.profile.name != tt.profile {
			t.Errorf("%s with AWS_REGION=%q: region %s and profile %s, want %s and %s", tt.query, tt.env, r, got.profile.name, tt.region, tt.profile)
		}
	}
	// The SDK's variables name an endpoint too.
	t.Setenv("AWS_ENDPOINT_URL_S3", "https://s3.fr-par.scw.cloud")
	b, err := driver.Open(t.Context(), "s3://bucket")
	if err != nil {
		t.Fatal(err)
	}
	if got := b.Features().Name; got != "s3/scaleway" {
		t.Errorf("with AWS_ENDPOINT_URL_S3 the bucket is %s", got)
	}
}

func TestConfigHidesSecrets(t *testing.T) {
	c := testConfig("http://store.example.com")
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		got := fmt.Sprintf(verb, c)
		if strings.Contains(got, testAccessKey) || strings.Contains(got, testSecretKey) || strings.Contains(got, testToken) || !strings.Contains(got, "store.example.com") {
			t.Errorf("%s: %s", verb, got)
		}
	}
	got, err := json.Marshal(c)
	if err != nil || strings.Contains(string(got), testSecretKey) {
		t.Errorf("JSON: %s, %v", got, err)
	}
}
