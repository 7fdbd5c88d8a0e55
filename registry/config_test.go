package registry_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/limit"
	"github.com/blobdock/blobdock/driver/retry"
	"github.com/blobdock/blobdock/redirect"
	"github.com/blobdock/blobdock/registry"
)

func TestParseConfig(t *testing.T) {
	base := blobstore.Options{
		Retry: retry.Policy{
			Attempts: retry.DefaultAttempts, Throttled: retry.DefaultThrottled,
			Base: retry.DefaultBase, Max: retry.DefaultMax, Total: retry.DefaultTotal,
		},
		MemoryBudget: registry.DefaultMemoryBudget, MemoryWait: blobstore.DefaultMemoryWait, CollectionWait: blobstore.DefaultCollectionWait, LookupTTL: blobstore.DefaultLookupTTL, Lookups: blobstore.DefaultLookups,
		RedirectExpiry: redirect.DefaultExpiry, RedirectURLs: redirect.DefaultKept, Redirect: redirect.Policy{MinSize: redirect.DefaultMinSize},
	}
	with := func(change func(*blobstore.Options)) blobstore.Options {
		o := base
		change(&o)
		return o
	}
	for _, tt := range []struct {
		name      string
		section   map[string]any
		url       string
		overrides driver.Overrides
		want      blobstore.Options
	}{
		{"only a url", map[string]any{"url": "s3://b/p?region=r", "useragent": "distribution"}, "s3://b/p?region=r", driver.Overrides{}, base},
		{"all in the url", map[string]any{
			"url": "s3://b?region=r&memory_budget=64MiB&memory_wait=5s&lookup_ttl=0s&lookups=7&redirect=off&redirect_expiry=5m&redirect_urls=8&redirect_min_size=0",
		}, "s3://b?region=r", driver.Overrides{}, with(func(o *blobstore.Options) {
			o.MemoryWait = 5 * time.Second
			o.MemoryBudget, o.LookupTTL, o.Lookups, o.RedirectExpiry, o.RedirectURLs = 64<<20, -1, 7, 5*time.Minute, 8
			o.Redirect = redirect.Policy{Off: true}
		})},
		{"beside it", map[string]any{
			"url": "s3://b", "region": "r", "path_style": true, "lookups": 7,
			"redirect_networks": []any{"10.0.0.0/8", "192.0.2.7"}, "redirect_except_networks": "10.1.0.0/16, 2001:db8::/32",
			"redirect_except_agents": []any{"old tool"}, "redirect_except_repositories": []any{"a/*", "b/**"},
		}, "s3://b", driver.Overrides{"region": "r", "path_style": "true"}, with(func(o *blobstore.Options) {
			o.Lookups = 7
			o.Redirect.Networks = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("192.0.2.7/32")}
			o.Redirect.ExceptNetworks = []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("2001:db8::/32")}
			o.Redirect.ExceptAgents = []string{"old tool"}
			o.Redirect.ExceptRepositories = []string{"a/*", "b/**"}
		})},
	} {
		got, err := registry.ParseConfig(tt.section)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		want := registry.Config{URL: tt.url, Overrides: tt.overrides, Options: tt.want, Body: registry.BodyLimits{Timeout: registry.DefaultBodyTimeout, MinRate: registry.DefaultBodyMinRate}, StorageWait: registry.DefaultStorageWait}
		if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(registry.Config{}, retry.Policy{}), cmpopts.EquateComparable(netip.Prefix{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

func TestParseBadConfig(t *testing.T) {
	for _, tt := range []struct {
		section map[string]any
		name    string // that the error tells
	}{
		{nil, "url"},
		{map[string]any{"url": 7}, "url"},
		{map[string]any{"url": "s3://b%zz"}, "url"},
		{map[string]any{"url": "s3://b?x=%zz"}, "query"},
		{map[string]any{"url": "s3://b?lookups=1", "lookups": 1}, "lookups"},
		{map[string]any{"url": "s3://b", "retries": -1}, "retries"},
		{map[string]any{"url": "s3://b", "retry_delay": "soon"}, "retry_delay"},
		{map[string]any{"url": "s3://b", "driver": "s3"}, "exclude each other"},
		{map[string]any{"driver": "swift"}, "azure, filesystem, gcs, s3"},
		{map[string]any{"driver": "s3"}, "bucket is missing"},
		{map[string]any{"driver": "azure", "account": "a"}, "container is missing"},
		{map[string]any{"driver": "s3", "bucket": "b", "secure": false}, "secure"},
		{map[string]any{"driver": "s3", "bucket": "b", "secure": "x"}, "secure"},
		{map[string]any{"driver": "s3", "bucket": "b", "v4auth": false}, "v4auth"},
		{map[string]any{"driver": "s3", "bucket": "b", "chunksize": 1, "part_size": 1}, "chunksize and part_size"},
		{map[string]any{"driver": "gcs", "bucket": "b", "credentials": "s3cr3t"}, "want a section"},
		{map[string]any{"driver": "azure", "container": "c", "credentials": map[any]any{"type": "client_secret", "secret": "s3cr3t"}}, "AZURE_CLIENT_SECRET"},
		{map[string]any{"driver": "azure", "container": "c", "credentials": map[any]any{"type": "magic"}}, "shared_key"},
		{map[string]any{"url": "s3://b", "region": map[string]any{}}, "region"},
		{map[string]any{"url": "s3://b", "redirect": "maybe"}, "redirect"},
		{map[string]any{"url": "s3://b", "memory_budget": "1MiB"}, "memory_budget"},
		{map[string]any{"url": "s3://b", "lookups": 0}, "lookups"},
		{map[string]any{"url": "s3://b", "redirect_expiry": "8d"}, "redirect_expiry"},
		{map[string]any{"url": "s3://b", "redirect_networks": "10.0.0.0/99"}, "redirect_networks"},
		{map[string]any{"url": "s3://b", "redirect_networks": []any{map[string]any{}}}, "redirect_networks"},
		{map[string]any{"url": "s3://b", "redirect_except_agents": []any{"a,b"}}, "redirect_except_agents"},
		{map[string]any{"url": "s3://b", "redirect_except_networks": "host"}, "redirect_except_networks"},
		{map[string]any{"url": "s3://b", "redirect_except_agents": "a,,b"}, "redirect_except_agents"},
		{map[string]any{"url": "s3://b", "redirect_except_repositories": "a["}, "redirect_except_repositories"},
		{map[string]any{"url": "s3://b", "redirect_signer": "akamai"}, "redirect_signer"},
	} {
		if _, err := registry.ParseConfig(tt.section); !errors.Is(err, driver.Invalid) || !strings.Contains(err.Error(), tt.name) {
			t.Errorf("%v: got %v, want %v of %s", tt.section, err, driver.Invalid, tt.name)
		} else if strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%v: tells a secret: %v", tt.section, err)
		}
	}
}

func TestLimits(t *testing.T) {
	got, err := registry.ParseConfig(map[string]any{"url": "s3://b?max_requests=7", "max_requests_per_second": 20})
	if want := (limit.Options{Calls: 7, Rate: 20}); err != nil || got.Limit != want {
		t.Errorf("got %+v and %v, want %+v", got.Limit, err, want)
	}
	got, err = registry.ParseConfig(map[string]any{"url": "s3://b?body_timeout=90s", "body_min_rate": "1KiB"})
	if want := (registry.BodyLimits{Timeout: 90 * time.Second, MinRate: 1 << 10}); err != nil || got.Body != want {
		t.Errorf("got %+v and %v, want %+v", got.Body, err, want)
	}
	for _, name := range []string{"body_timeout", "body_min_rate"} {
		if _, err := registry.ParseConfig(map[string]any{"url": "s3://b", name: "-1"}); !errors.Is(err, driver.Invalid) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	for _, name := range []string{"max_requests", "max_requests_per_second", "memory_wait"} {
		if _, err := registry.ParseConfig(map[string]any{"url": "s3://b", name: "0"}); !errors.Is(err, driver.Invalid) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
