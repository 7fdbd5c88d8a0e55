package azure

import (
	"errors"
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
	for raw, want := range map[string]Config{
		"azblob://container":                         {Container: "container", Prefix: ""},
		"azblob://container/a/b?account=myaccount":   {Container: "container", Prefix: "/a/b", Account: "myaccount"},
		"azblob://c0//":                              {Container: "c0", Prefix: "//"},
		"azblob://c0?credential=auto&checksum=auto":  {Container: "c0"},
		"azblob://c0?tier=Cool&encryption_scope=s":   {Container: "c0", Tier: "Cool", EncryptionScope: "s"},
		"azblob://c0?part_size=16MiB&concurrency=4":  {Container: "c0", PartSize: 16 * mib, Concurrency: 4},
		"azblob://c0?stall_timeout=3s&skip_verify=1": {Container: "c0", Network: driver.Network{StallTimeout: 3 * time.Second, SkipVerify: true}},
		"azblob://c0?endpoint=http://127.0.0.1:10000/devstoreaccount1&credential=key&key_file=/k": {
			Container: "c0", Endpoint: "http://127.0.0.1:10000/devstoreaccount1", Credential: CredentialKey, KeyFile: "/k",
		},
	} {
		u, err := url.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		got, err := parseURL(u, driver.NewParams(u.Query()))
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", raw, err, diff)
		}
	}
	for raw, hint := range map[string]string{
		"azblob://container?acount=x":          "account",
		"azblob://container?tier=Archive":      "Hot, Cool, Cold",
		"azblob://container?credential=magic":  "connection-string",
		"azblob://container?part_size=5000MiB": "4000MiB",
		"azblob://Upper":                       "container",
		"azblob://":                            "container/prefix",
		"azblob://user:pw@container":           "credentials",
		"azblob://container:80":                "port",
		"azblob://container?endpoint=ftp://x":  "endpoint",
		"azblob://container/a//b":              "prefix",
		"azblob://container?account=Not_One":   "account",
		"azblob://container?realm=https://x":   "realm",
	} {
		u, err := url.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parseURL(u, driver.NewParams(u.Query())); !errors.Is(err, driver.Invalid) || !strings.Contains(err.Error(), hint) {
			t.Errorf("%s: got %v, want %v with %q", raw, err, driver.Invalid, hint)
		}
	}
}

// TestPrefix is that of the keys as the store knows them.
func TestPrefix(t *testing.T) {
	for given, want := range map[string]string{"": "key", "/": "key", "/a/b": "a/b/key", "a/": "a/key", "//": "/key", "//a": "/a/key", "//a/b/": "/a/b/key"} {
		b, err := Open(t.Context(), Config{Container: "c", Account: "acc", Key: testKey, Prefix: given})
		if err != nil {
			t.Fatal(err)
		}
		if got := b.full("key"); got != want {
			t.Errorf("prefix %q: key %q, want %q", given, got, want)
		}
		address := "https://e/c/" + want
		if rest, older := strings.CutPrefix(want, "/"); older {
			address = "https://e/c/%2F" + rest // two slashes in a row would be one to proxies
		}
		if got := b.blobURL("https://e", "key"); got != address {
			t.Errorf("prefix %q: address %q, want %q", given, got, address)
		}
	}
}

func TestSecrets(t *testing.T) {
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte(testKey+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	marked := file + ".marked"
	if err := os.WriteFile(marked, []byte("\ufeff'"+testKey+"'\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		c    Config
		env  map[string]string
		want secrets
	}{
		"key from the environment": {
			Config{}, map[string]string{"AZURE_STORAGE_ACCOUNT": "acc", "AZURE_STORAGE_KEY": testKey},
			secrets{"acc", "https://acc.blob.core.windows.net", testKey, "", sharedKey},
		},
		"key from a file, another cloud": {
			Config{Account: "acc", KeyFile: file, Realm: "core.chinacloudapi.cn"}, nil,
			secrets{"acc", "https://acc.blob.core.chinacloudapi.cn", testKey, "", sharedKey},
		},
		"account from the host": {
			Config{Endpoint: "https://acc.blob.core.windows.net/", SAS: "?" + testSAS}, nil,
			secrets{"acc", "https://acc.blob.core.windows.net", "", testSAS, signature},
		},
		"account from the path": {
			Config{Endpoint: "http://azurite:10000/acc", Key: testKey}, nil,
			secrets{"acc", "http://azurite:10000/acc", testKey, "", sharedKey},
		},
		"connection string": {
			Config{}, map[string]string{"AZURE_STORAGE_CONNECTION_STRING": "AccountName=acc;AccountKey=" + testKey + ";EndpointSuffix=core.usgovcloudapi.net"},
			secrets{"acc", "https://acc.blob.core.usgovcloudapi.net", testKey, "", sharedKey},
		},
		"connection string with a signature": {
			Config{ConnectionString: "BlobEndpoint=https://acc.blob.core.windows.net/;SharedAccessSignature=" + testSAS}, nil,
			secrets{"acc", "https://acc.blob.core.windows.net", "", testSAS, signature},
		},
		"development storage": {
			Config{ConnectionString: "UseDevelopmentStorage=true"}, nil,
			secrets{"devstoreaccount1", "http://127.0.0.1:10000/devstoreaccount1", "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==", "", sharedKey},
		},
		"variables as files leave them": {
			Config{}, map[string]string{"AZURE_STORAGE_ACCOUNT": "acc\n", "AZURE_STORAGE_KEY": "\ufeff\"" + testKey + "\"\r\n"},
			secrets{"acc", "https://acc.blob.core.windows.net", testKey, "", sharedKey},
		},
		"signature in quotes": {
			Config{Account: "acc"}, map[string]string{"AZURE_STORAGE_SAS_TOKEN": "'?" + testSAS + "'\n"},
			secrets{"acc", "https://acc.blob.core.windows.net", "", testSAS, signature},
		},
		"connection string in quotes, with others inside": {
			Config{}, map[string]string{"AZURE_STORAGE_CONNECTION_STRING": "\ufeff'AccountName=acc; AccountKey=\"" + testKey + "\"'\n"},
			secrets{"acc", "https://acc.blob.core.windows.net", testKey, "", sharedKey},
		},
		"key from a file with a byte order mark": {
			Config{Account: "acc", KeyFile: marked}, nil,
			secrets{"acc", "https://acc.blob.core.windows.net", testKey, "", sharedKey},
		},
		"default before the environment's key": {
			Config{Account: "acc", Credential: CredentialDefault}, map[string]string{"AZURE_STORAGE_KEY": testKey},
			secrets{"acc", "https://acc.blob.core.windows.net", "", "", token},
		},
	} {
		t.Run(name, func(t *testing.T) {
			for k, v := range tt.env {
				t.Setenv(k, v)
			}
			got, err := tt.c.secrets()
			if err != nil || got != tt.want {
				t.Errorf("got %+v and %v, want %+v", got, err, tt.want)
			}
		})
	}
	for _, c := range []Config{{}, {Account: "acc", Credential: CredentialKey}, {Account: "acc", Credential: CredentialSAS}, {Account: "acc", Credential: CredentialConnectionString}, {Account: "acc", KeyFile: "/nowhere"}} {
		if _, err := c.secrets(); !errors.Is(err, driver.Invalid) {
			t.Errorf("%v: got %v, want %v", c, err, driver.Invalid)
		}
	}
}

// TestIdentityVariables names the variable that the SDK would take with what a file has left at
// its end.
func TestIdentityVariables(t *testing.T) {
	for _, name := range []string{"AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"} {
		for _, value := range []string{"s3cr3t\n", "'s3cr3t'", "\ufeffs3cr3t"} {
			t.Run(name, func(t *testing.T) {
				t.Setenv(name, value)
				_, err := Open(t.Context(), Config{Container: "c", Account: "acc"})
				if !errors.Is(err, driver.Invalid) || !strings.Contains(err.Error(), name) || strings.Contains(err.Error(), "s3cr3t") {
					t.Errorf("%q: got %v", value, err)
				}
			})
		}
	}
}

// What contradicts itself is refused rather than left aside.
func TestContradictions(t *testing.T) {
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]Config{
		"an empty key file":              {KeyFile: file},
		"a key for the default chain":    {Credential: CredentialDefault, Key: "a2V5"},
		"a key file for nobody":          {Credential: CredentialAnonymous, KeyFile: file},
		"a signature for a key":          {Credential: CredentialKey, SAS: "sig=x"},
		"a key for a signature":          {Credential: CredentialSAS, Key: "a2V5"},
		"a key for a connection string":  {Credential: CredentialConnectionString, Key: "a2V5"},
		"a realm beside an endpoint":     {Realm: "core.chinacloudapi.cn", Endpoint: "https://account.blob.core.windows.net"},
		"an endpoint without an account": {Key: "a2V5", Endpoint: "https://blobs.example.com"},
	} {
		c.Container = "container"
		if name != "an endpoint without an account" {
			c.Account = "account"
		}
		if _, err := Open(t.Context(), c); !errors.Is(err, driver.Invalid) {
			t.Errorf("%s: got %v, want %v", name, err, driver.Invalid)
		}
	}
}

// What lies in a folder _uploads belongs to one upload; the bucket's own prefix has
// no say in that.
func TestPrivate(t *testing.T) {
	for key, want := range map[string]bool{
		"repositories/r/_uploads/1/data": true, "_uploads/1": true, "blobs/sha256/aa/data": false, "my_uploads/1": false,
	} {
		if private(key) != want {
			t.Errorf("%s: got %v, want %v", key, !want, want)
		}
	}
}
