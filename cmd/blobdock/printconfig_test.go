package main

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v2"

	"github.com/blobdock/blobdock/driver"
	blobdock "github.com/blobdock/blobdock/registry"
)

// printed is what "serve --print-config" prints with these arguments.
func printed(t *testing.T, args ...string) string {
	t.Helper()
	var out bytes.Buffer
	cmd := serveCommand()
	cmd.SetArgs(append([]string{"--print-config"}, args...))
	cmd.SetOut(&out)
	if err := cmd.ExecuteContext(t.Context()); err != nil {
		t.Fatalf("serve --print-config %q: %v", args, err)
	}
	return out.String()
}

func written(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.yml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// secretsEverywhere has a secret, s3cr3t and so on, wherever distribution or blobdock could
// have one, and where nobody knows of any.
const secretsEverywhere = `
version: 0.1
log:
  level: info
  fields: {service: registry, apikey: s3cr3t-field}
  hooks:
    - type: mail
      levels: [panic]
      options:
        smtp: {addr: "mail.example.com:25", username: u, password: s3cr3t-smtp}
        from: a@example.com
        to: [b@example.com]
storage:
  blobdock:
    url: s3://my-bucket/registry?region=eu-west-1&concurrency=6
    access_key: AKIDs3cr3t
    secret_key: s3cr3t-key
    session_token: s3cr3t-token
    external_id: "0123"
    role_arn: arn:aws:iam::1:role/r
    redirect_except_agents: [old tool, older tool]
  delete: {enabled: true}
  maintenance:
    uploadpurging: {enabled: true, age: 100h, interval: 12h, dryrun: false}
auth:
  token: {realm: "https://auth.example.com/token?key=s3cr3t-realm", service: s, issuer: i, rootcertbundle: /c.pem, clientsecret: s3cr3t-auth, pin: 530773}
middleware:
  storage:
    - name: cloudfront
      options: {baseurl: "https://d1.cloudfront.net", privatekey: s3cr3t-cloudfront, keypairid: K1, duration: 20m}
http:
  addr: :5000
  secret: s3cr3t-http
  headers: {X-Content-Type-Options: [nosniff]}
  tls: {certificate: /c.pem, key: /k.pem}
  debug: {addr: ":5001", prometheus: {enabled: true}}
notifications:
  endpoints:
    - name: hook
      url: https://u:s3cr3t-user@hooks.example.com/services/s3cr3t-path?s3cr3t=1
      headers: {Authorization: [Bearer s3cr3t-bearer]}
redis:
  addrs: ["u:s3cr3t-addr@redis.example.com:6379"]
  username: u
  password: s3cr3t-redis
  sentinelpassword: s3cr3t-sentinel
health:
  storagedriver: {enabled: true}
  http:
    - uri: https://u:s3cr3t-uri@example.com/health
      headers: {Authorization: [s3cr3t-health]}
proxy:
  remoteurl: https://u:s3cr3t-remote@registry-1.docker.io
  username: u
  password: s3cr3t-proxy
  exec: {command: "/bin/login --token s3cr3t-exec"}
`

func TestPrintConfig(t *testing.T) {
	t.Setenv("AWS_CONFIG_FILE", os.DevNull)
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("REGISTRY_LOG_LEVEL", "error")
	t.Setenv("REGISTRY_STORAGE_BLOBDOCK_MEMORYBUDGET", "64MiB")
	text := printed(t, "--listen", "127.0.0.1:5009", written(t, secretsEverywhere))
	for _, secret := range []string{"s3cr3t", "530773"} {
		if strings.Contains(text, secret) {
			t.Errorf("tells %s:\n%s", secret, text)
		}
	}
	for _, want := range []string{
		"level: error", "addr: 127.0.0.1:5009", "memory_budget: 64MiB", // variables and flags
		"url: s3://my-bucket/registry\n", "region: eu-west-1", "concurrency: 6", `external_id: "0123"`,
		"redirect_except_agents: old tool,older tool", "age: 100h0m0s",
		"secret_key: REDACTED", "password: REDACTED", "Authorization:\n      - REDACTED", "pin: REDACTED",
		"url: https://hooks.example.com/REDACTED", "remoteurl: https://REDACTED@registry-1.docker.io", "a@example.com",
		// defaults
		"profile: aws", "path_style: false", "part_size: 8MiB", "stall_timeout: 30s", "retries: 7", "redirect_expiry: 20m0s",
		"path: /metrics", "interval: 10s", "maxentries: 1000", "formatter: text", "draintimeout: 30s", "threshold: 10", "ttl: 168h0m0s",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("does not have %q", want)
		}
	}
	if t.Failed() {
		t.Log(text)
	}
}

// TestPrintConfigReadsBack puts the secrets back and gets the same configuration, and
// the same in print.
func TestPrintConfigReadsBack(t *testing.T) {
	t.Setenv("AWS_CONFIG_FILE", os.DevNull)
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	dir := t.TempDir()
	for name, text := range map[string]string{
		"s3": `{url: "s3://b/p?region=r", access_key: AKID, secret_key: s}`,
		"minio, options": `{url: "s3://b?endpoint=http://127.0.0.1:9000&profile=minio&checksum=none&conditions=put&list_version=v1",
			redirect: off, lookup_ttl: 0s, max_requests: 7, retries: 0, sse: "aws:kms", sse_kms_context: "a=b,c=d", anonymous: true}`,
		"r2":                 `{url: "s3://b?endpoint=https://a.r2.cloudflarestorage.com"}`,
		"gcs's XML API":      `{url: "s3://b?endpoint=https://storage.googleapis.com"}`,
		"oracle":             `{url: "s3://b?endpoint=https://n.compat.objectstorage.eu-frankfurt-1.oraclecloud.com"}`,
		"gs":                 `{url: "gs://b/p", universe_domain: example.com, redirect_networks: [10.0.0.0/8]}`,
		"azblob":             `{url: "azblob://c/p?account=myaccount", key: czNjcjN0}`,
		"azblob, a realm":    `{url: "azblob://c?account=myaccount&realm=core.chinacloudapi.cn"}`,
		"azblob, a string":   `{url: "azblob://c", connection_string: "AccountName=myaccount;AccountKey=czNjcjN0"}`,
		"file":               `{url: "file://` + dir + `/not-made"}`,
		"mem":                `{url: "mem://print"}`,
		"distribution's own": `{driver: s3, bucket: b, region: r, encrypt: true, chunksize: 10485760}`,
	} {
		text = "version: 0.1\nhttp: {addr: \":0\", secret: s}\nstorage:\n  blobdock: " + text + "\n"
		first := printed(t, written(t, text))
		parse := func(text string) *configuration.Configuration {
			config, err := configuration.Parse(strings.NewReader(text))
			if err != nil {
				t.Fatalf("%s: %v\n%s", name, err, text)
			}
			return config
		}
		want, got := parse(text), parse(first)
		for name, v := range got.Storage[blobdock.Name] {
			if v == driver.Redacted {
				got.Storage[blobdock.Name][name] = want.Storage[blobdock.Name][name]
			}
		}
		restored, err := yaml.Marshal(got)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(first, printed(t, written(t, string(restored)))); diff != "" {
			t.Errorf("%s, printed twice (-first +second):\n%s", name, diff)
		}
		if diff := cmp.Diff(engine(t, want), engine(t, got), cmp.Exporter(func(reflect.Type) bool { return true })); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if _, err := os.Stat(dir + "/not-made"); err == nil {
		t.Error("to print a configuration made the store's directory")
	}
}

// engine is what the engine makes of a configuration: its options, and its bucket's
// features.
func engine(t *testing.T, config *configuration.Configuration) map[string]any {
	t.Helper()
	c, err := blobdock.ParseConfig(config.Storage.Parameters())
	if err != nil {
		t.Fatal(err)
	}
	settings, err := c.Settings(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c.Options.Signer = nil
	return map[string]any{"settings": settings, "options": c.Options, "limit": c.Limit}
}

// TestPrintable has each value that a configuration can have either on the list or
// here, so that a new one is judged by someone.
func TestPrintable(t *testing.T) {
	secret := []string{
		"log/fields/x", "log/hooks/options/smtp/password", "http/secret",
		"notifications/endpoints/url", // but for its host
		"notifications/endpoints/headers/x", "redis/password", "redis/sentinelpassword",
		"health/http/headers/x", "proxy/password", "proxy/exec/command",
	}
	open := []string{"storage", "auth", "middleware"} // of which distribution knows no fields
	var names []string
	leaves(reflect.TypeFor[configuration.Configuration](), "", func(at string) { names = append(names, at) })
	for _, at := range names {
		first, _, _ := strings.Cut(at, "/")
		if listed := slices.Contains(secret, at); listed == isPrintable(at) && !slices.Contains(open, first) {
			t.Errorf("%s is printed: %t, and a secret: %t", at, isPrintable(at), listed)
		}
	}
	for _, at := range secret {
		if !slices.Contains(names, at) {
			t.Errorf("%s: no such value", at)
		}
	}
}

// leaves calls found with the path of each value below a type, "x" being any name.
func leaves(ty reflect.Type, at string, found func(string)) {
	switch ty.Kind() {
	case reflect.Pointer, reflect.Slice:
		leaves(ty.Elem(), at, found)
	case reflect.Map:
		leaves(ty.Elem(), at+"/x", found)
	case reflect.Struct:
		for i := range ty.NumField() {
			f := ty.Field(i)
			name, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
			switch {
			case options == "inline":
				leaves(f.Type, at, found)
				continue
			case name == "":
				name = strings.ToLower(f.Name)
			}
			leaves(f.Type, strings.TrimPrefix(at+"/"+name, "/"), found)
		}
	default:
		found(at)
	}
}
