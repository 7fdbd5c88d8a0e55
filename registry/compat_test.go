package registry_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/google/go-cmp/cmp"

	_ "github.com/blobdock/blobdock/azure"
	"github.com/blobdock/blobdock/driver"
	_ "github.com/blobdock/blobdock/driver/file"
	_ "github.com/blobdock/blobdock/gcs"
	"github.com/blobdock/blobdock/registry"
	_ "github.com/blobdock/blobdock/s3"
)

// TestStockSections reads sections as distribution documents them, with "driver" in
// front, and has every parameter's meaning.
func TestStockSections(t *testing.T) {
	t.Setenv("AWS_CONFIG_FILE", "/dev/null")
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	for _, tt := range []struct {
		name, section, url string
		want               map[string]string // settings
	}{
		{"s3", `
driver: s3
accesskey: AKIDTEST
secretkey: s3cr3t
region: eu-west-1
regionendpoint: https://minio.example.com:9000
forcepathstyle: false
bucket: my-bucket
rootdirectory: /some/folder
encrypt: true
keyid: my-key
secure: true
v4auth: true
chunksize: 16777216
multipartcopychunksize: 33554432
multipartcopymaxconcurrency: 20
multipartcopythresholdsize: 67108864
storageclass: standard_ia
objectacl: bucket-owner-full-control
usedualstack: false
usefipsendpoint: false
accelerate: false
loglevel: off
skipverify: true
redirectendpoint: https://blobs.example.com
memory_budget: 64MiB
`, "s3://my-bucket/some/folder", map[string]string{
			"access_key": driver.Redacted, "secret_key": driver.Redacted, "session_token": "",
			"region": "eu-west-1", "endpoint": "https://minio.example.com:9000", "path_style": "false",
			"sse": "aws:kms", "sse_kms_key_id": "my-key", "part_size": "16MiB", "copy_part_size": "32MiB",
			"copy_concurrency": "20", "copy_threshold": "64MiB", "storage_class": "STANDARD_IA",
			"acl": "bucket-owner-full-control", "log_requests": "false", "skip_verify": "true",
			"redirect_endpoint": "https://blobs.example.com", "memory_budget": "64MiB",
		}},
		{"s3, little", `
driver: s3
accesskey:
secretkey:
region: us-east-1
bucket: my-bucket
encrypt: true
keyid:
storageclass: NONE
objectacl: private
loglevel: debug
`, "s3://my-bucket/", map[string]string{
			"access_key": "", "region": "us-east-1", "sse": "AES256", "storage_class": "", "acl": "",
			"log_requests": "true", "path_style": "false", "part_size": "8MiB", "concurrency": "4",
		}},
		{"s3, a host", `
driver: s3
region: us-east-1
regionendpoint: minio.example.com:9000
secure: false
keyid: ignored
bucket: my-bucket
multipartcopythresholdsize: 0
`, "s3://my-bucket/", map[string]string{"endpoint": "http://minio.example.com:9000", "sse": "", "sse_kms_key_id": "", "copy_threshold": "1B"}},
		{"s3, an access point", `
driver: s3
region: eu-west-1
bucket: arn:aws:s3:eu-west-1:123456789012:accesspoint/my-point
rootdirectory: /some/folder
`, "s3://arn:aws:s3:eu-west-1:123456789012:accesspoint/my-point/some/folder", map[string]string{"region": "eu-west-1", "profile": "aws"}},
		{"gcs", `
driver: gcs
bucket: my-bucket
rootdirectory: folder/
chunksize: 5242880
maxconcurrency: 50
credentials:
  type: service_account
  private_key: s3cr3t
`, "gs://my-bucket/folder", map[string]string{"credentials": driver.Redacted, "part_size": "5MiB", "max_requests": "50", "storage_class": ""}},
		{"azure", `
driver: azure
accountname: myaccount
accountkey: czNjcjN0
container: my-container
credentials:
  type: shared_key
rootdirectory: /folder
realm: core.windows.net
serviceurl: https://myaccount.blob.core.windows.net
max_retries: 5
retry_delay: 100ms
skipverify: true
`, "azblob://my-container/folder", map[string]string{
			"account": "myaccount", "key": driver.Redacted, "credential": "key", "endpoint": "https://myaccount.blob.core.windows.net",
			"retries": "5", "retry_delay": "100ms", "skip_verify": "true",
		}},
		{"azure, a connection string", `
driver: azure
accountname: myaccount
container: my-container
connectionstring: AccountName=myaccount;AccountKey=czNjcjN0
`, "azblob://my-container/", map[string]string{"connection_string": driver.Redacted, "credential": "connection-string", "account": "myaccount"}},
		{"azure, GitLab's older layout", `
driver: azure
accountname: myaccount
container: my-container
legacyrootprefix: true
rootdirectory: /folder
connectionstring: AccountName=myaccount;AccountKey=czNjcjN0
`, "azblob://my-container//folder", map[string]string{"account": "myaccount"}},
		{"azure, GitLab's older layout by the older parameter", `
driver: azure
accountname: myaccount
container: my-container
trimlegacyrootprefix: false
connectionstring: AccountName=myaccount;AccountKey=czNjcjN0
`, "azblob://my-container//", map[string]string{"account": "myaccount"}},
		{"azure, GitLab's layout of today", `
driver: azure
accountname: myaccount
container: my-container
trimlegacyrootprefix: true
legacyrootprefix: false
connectionstring: AccountName=myaccount;AccountKey=czNjcjN0
`, "azblob://my-container/", map[string]string{"account": "myaccount"}},
		{"filesystem", `
driver: filesystem
rootdirectory: /data/registry
maxthreads: 100
`, "file:///data/registry", map[string]string{"max_requests": "100", "fsync": "true"}},
		{"filesystem, odd", "\ndriver: filesystem\nrootdirectory: '/data/100% #1?'\n", "file:///data/100%25%20%231%3F", map[string]string{}},
		{"filesystem, little", "\ndriver: filesystem\n", "file:///var/lib/registry", map[string]string{"create": "true"}},
	} {
		config, err := configuration.Parse(strings.NewReader("version: 0.1\nstorage:\n  blobdock:" + strings.ReplaceAll(tt.section, "\n", "\n    ")))
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		c, err := registry.ParseConfig(config.Storage.Parameters())
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if c.URL != tt.url {
			t.Errorf("%s: url %s, want %s", tt.name, c.URL, tt.url)
		}
		settings, err := c.Settings(t.Context())
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		got := make(map[string]string)
		for _, s := range settings {
			if _, ok := tt.want[s.Name]; ok {
				got[s.Name] = s.Value
			}
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
		if text := fmt.Sprintf("%+v %#v", c, settings); strings.Contains(text, "s3cr3t") || strings.Contains(text, "czNjcjN0") {
			t.Errorf("%s tells a secret: %s", tt.name, text)
		}
	}
}

// TestSecretsByEnvironment gives static credentials as distribution's variables do,
// whose names have no underscores of their own.
func TestSecretsByEnvironment(t *testing.T) {
	t.Setenv("REGISTRY_STORAGE_BLOBDOCK_ACCESSKEY", "AKIDTEST")
	t.Setenv("REGISTRY_STORAGE_BLOBDOCK_SECRETKEY", "s3cr3t")
	t.Setenv("REGISTRY_STORAGE_BLOBDOCK_PARTSIZE", "16MiB")
	t.Setenv("REGISTRY_STORAGE_BLOBDOCK_MEMORYBUDGET", "32MiB")
	config, err := configuration.Parse(strings.NewReader("version: 0.1\nstorage: {blobdock: {url: 's3://b?region=r'}}\n"))
	if err != nil {
		t.Fatal(err)
	}
	c, err := registry.ParseConfig(config.Storage.Parameters())
	if err != nil {
		t.Fatal(err)
	}
	if c.Options.MemoryBudget != 32<<20 {
		t.Errorf("memory_budget is %d", c.Options.MemoryBudget)
	}
	s, err := c.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if got := s.Bucket().Features().PartSize; got != 16<<20 {
		t.Errorf("part_size is %d", got)
	}
	if s.Bucket().Features().Sign == nil {
		t.Error("signs no URLs")
	}
	for _, section := range []map[string]any{
		{"url": "s3://b?region=r&secret_key=s3cr3t", "access_key": "AKIDTEST"},
		{"url": "s3://b?region=r", "access_key": "AKIDTEST"},
	} {
		c, err := registry.ParseConfig(section)
		if err == nil {
			_, err = c.Open(t.Context())
		}
		if err == nil || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%v: got %v, want an error without the secret", section["url"], err)
		}
	}
}
