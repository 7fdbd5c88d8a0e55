package registry_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/registry"
)

// FuzzParseConfig reads whatever stands in a configuration. What is wrong is said
// without repeating what may be a credential.
func FuzzParseConfig(f *testing.F) {
	f.Add("s3://bucket/prefix?region=eu-west-1", "region", "x")
	f.Add("s3://user:hunter2@bucket?x=%zz", "redirect_networks", "10.0.0.0/8,")
	f.Add("gs://b?memory_budget=1TiB", "memory_budget", "-1")
	f.Add("://", "", "\x00")
	f.Fuzz(func(t *testing.T, url, name, value string) {
		c, err := registry.ParseConfig(map[string]any{"url": url, name: value})
		switch {
		case err != nil && !errors.Is(err, driver.Invalid):
			t.Errorf("%q, %q: %q: %v, want %v", url, name, value, err, driver.Invalid)
		case err != nil && strings.Contains(err.Error(), "hunter2"):
			t.Errorf("%q: %v", url, err)
		case err == nil && c.URL == "":
			t.Errorf("%q: nothing was read", url)
		}
	})
}
