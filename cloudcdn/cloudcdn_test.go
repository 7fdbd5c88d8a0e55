package cloudcdn_test

import (
	"errors"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/blobdock/blobdock/cloudcdn"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/redirect"
)

const (
	base = "https://blobs.example.com"
	key  = "nZtRohdNF9m3cKM24IcK4w==\n" // as a shell writes it
)

var get = driver.SignRequest{Method: http.MethodGet, Key: "docker/registry/v2/blobs/a b+c", Expires: 20 * time.Minute}

func TestSign(t *testing.T) {
	sign, err := cloudcdn.New(cloudcdn.Config{URL: base + "/", KeyName: "my-key", Key: []byte(key), Prefix: "/team/"})
	if err != nil {
		t.Fatal(err)
	}
	got, err := sign(t.Context(), get)
	if err != nil {
		t.Fatal(err)
	}
	const want = base + "/team/docker/registry/v2/blobs/a%20b%2Bc?Expires="
	if !strings.HasPrefix(got.URL, want) || time.Until(got.Expires) > 20*time.Minute || time.Until(got.Expires) < 19*time.Minute {
		t.Errorf("%s until %v, want %s for 20 minutes", driver.RedactURL(got.URL), got.Expires, want)
	}
	put := get
	put.Method = http.MethodPut
	if _, err := sign(t.Context(), put); !errors.Is(err, driver.Unsupported) {
		t.Errorf("PUT: got %v, want %v", err, driver.Unsupported)
	}
}

func TestRefused(t *testing.T) {
	good := cloudcdn.Config{URL: base, KeyName: "my-key", Key: []byte(key)}
	for name, change := range map[string]func(*cloudcdn.Config){
		"no URL":       func(c *cloudcdn.Config) { c.URL = "" },
		"no scheme":    func(c *cloudcdn.Config) { c.URL = "blobs.example.com" },
		"a password":   func(c *cloudcdn.Config) { c.URL = "https://u:secret@cdn.example.com" },
		"a query":      func(c *cloudcdn.Config) { c.URL = base + "?x" },
		"no key name":  func(c *cloudcdn.Config) { c.KeyName = "" },
		"a bad name":   func(c *cloudcdn.Config) { c.KeyName = "my&key" },
		"a long name":  func(c *cloudcdn.Config) { c.KeyName = strings.Repeat("k", 64) },
		"no key":       func(c *cloudcdn.Config) { c.Key = nil },
		"no base64url": func(c *cloudcdn.Config) { c.Key = []byte("secret") },
		"a short key":  func(c *cloudcdn.Config) { c.Key = []byte("c2VjcmV0") },
	} {
		c := good
		change(&c)
		if _, err := cloudcdn.New(c); !errors.Is(err, driver.Invalid) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: got %v, want %v", name, err, driver.Invalid)
		}
	}
	if _, err := cloudcdn.New(good); err != nil {
		t.Error(err)
	}
}

func TestOpen(t *testing.T) {
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte(key), 0o600); err != nil {
		t.Fatal(err)
	}
	q := url.Values{"cloudcdn_url": {base}, "cloudcdn_key_name": {"my-key"}, "cloudcdn_key_file": {file}}
	if _, err := redirect.Open("cloudcdn", driver.NewParams(q), ""); err != nil {
		t.Error(err)
	}
	q.Del("cloudcdn_key_file")
	if _, err := redirect.Open("cloudcdn", driver.NewParams(q), ""); !errors.Is(err, driver.Invalid) {
		t.Errorf("without a key: got %v, want %v", err, driver.Invalid)
	}
	t.Setenv("BLOBDOCK_CLOUDCDN_KEY", "\ufeff\""+key+"\"\r\n")
	if _, err := redirect.Open("cloudcdn", driver.NewParams(q), ""); err != nil {
		t.Errorf("with a key in the environment: %v", err)
	}
	q.Set("cloudcdn_keyname", "x")
	if _, err := redirect.Open("cloudcdn", driver.NewParams(q), ""); !errors.Is(err, driver.Invalid) || !strings.Contains(err.Error(), "cloudcdn_key_name") {
		t.Errorf("a misspelt parameter: got %v", err)
	}
}
