package registry_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/fault"
	"github.com/blobdock/blobdock/driver/mem"
	"github.com/blobdock/blobdock/driver/retry"
	"github.com/blobdock/blobdock/internal/friend"
	"github.com/blobdock/blobdock/registry"
)

// scrape reads all series as Prometheus would, by name and labels.
func scrape(t testing.TB) map[string]float64 {
	t.Helper()
	w := httptest.NewRecorder()
	promhttp.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	series := make(map[string]float64)
	for line := range strings.Lines(w.Body.String()) {
		at := strings.LastIndexByte(line, ' ')
		if strings.HasPrefix(line, "#") || at < 0 {
			continue
		}
		v, err := strconv.ParseFloat(strings.TrimSpace(line[at:]), 64)
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		series[line[:at]] = v
	}
	return series
}

// wantMore checks by how much series have grown since before.
func wantMore(t *testing.T, before map[string]float64, want map[string]float64) {
	t.Helper()
	now := scrape(t)
	for name, n := range want {
		if _, ok := now[name]; !ok {
			t.Errorf("no %s", name)
		} else if got := now[name] - before[name]; got != n {
			t.Errorf("%s has grown by %v, want %v", name, got, n)
		}
	}
}

func TestPullsAreCounted(t *testing.T) {
	srv := serve(t, mem.New())
	for reason, blob := range map[string]string{"small": "small", "unsigned": strings.Repeat("large", 10_000)} {
		d := digest.FromString(blob)
		resp, body := do(t, http.MethodPut, withDigest(begin(t, srv, "metrics"), d), nil, strings.NewReader(blob))
		if resp.StatusCode != http.StatusCreated {
			t.Fatalf("PUT: %s: %s", resp.Status, body)
		}
		before := scrape(t)
		at := srv.URL + "/v2/metrics/blobs/" + d.String()
		do(t, http.MethodGet, at, nil, nil)
		do(t, http.MethodHead, at, nil, nil)
		wantMore(t, before, map[string]float64{
			`blobdock_storage_pulls_total{redirect="` + reason + `"}`: 1,
			`blobdock_storage_pulls_total{redirect="not_get"}`:        1,
		})
	}
}

// given opens a store on b as the configuration would.
func given(t *testing.T, b driver.Bucket, o blobstore.Options) *blobstore.Store {
	t.Helper()
	name := fmt.Sprintf("m%p", t)
	buckets.Store(name, b)
	t.Cleanup(func() { buckets.Delete(name) })
	c, err := registry.ParseConfig(map[string]any{"url": "given://" + name})
	if err != nil {
		t.Fatal(err)
	}
	o.MemoryBudget = c.Options.MemoryBudget
	c.Options = o
	s, err := c.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestRequestsAreCounted has each attempt counted, and bytes only where they arrived.
func TestRequestsAreCounted(t *testing.T) {
	var told int
	s := given(t, fault.Wrap(mem.New(), fault.Script{
		{Op: driver.OpPut, Nth: 1, Kind: driver.Throttled},
		{Op: driver.OpPut, Nth: 2},
		{Op: driver.OpDelete, Delay: time.Hour},
	}), blobstore.Options{Retry: retry.Policy{Base: time.Millisecond, OnRetry: func(driver.Op, string, int, error) { told++ }}})
	defer s.Close()
	before := scrape(t)
	b := s.Bucket()
	d := registry.NewDriver(s)
	if err := d.PutContent(t.Context(), "/some/link", []byte("content")); err != nil {
		t.Fatal(err)
	}
	if _, err := d.GetContent(t.Context(), "/some/link"); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Stat(t.Context(), "none"); err == nil {
		t.Fatal("found what is not there")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_ = b.Delete(ctx, "some/link", driver.DeleteOptions{})
	wantMore(t, before, map[string]float64{
		`blobdock_storage_requests_total{op="put",outcome="throttled",provider="mem"}`:         1,
		`blobdock_storage_requests_total{op="put",outcome="store unavailable",provider="mem"}`: 1,
		`blobdock_storage_requests_total{op="put",outcome="ok",provider="mem"}`:                1,
		`blobdock_storage_requests_total{op="open",outcome="ok",provider="mem"}`:               1,
		`blobdock_storage_requests_total{op="stat",outcome="not found",provider="mem"}`:        1,
		`blobdock_storage_requests_total{op="delete",outcome="context ended",provider="mem"}`:  1,
		`blobdock_storage_request_duration_seconds_count{op="put",provider="mem"}`:             3,
		`blobdock_storage_retries_total{cause="throttled",op="put",provider="mem"}`:            1,
		`blobdock_storage_retries_total{cause="store unavailable",op="put",provider="mem"}`:    1,
		`blobdock_storage_sent_bytes_total{provider="mem"}`:                                    7,
		`blobdock_storage_received_bytes_total{provider="mem"}`:                                7,
	})
	if told != 2 {
		t.Errorf("the caller's own OnRetry was called %d times, want 2", told)
	}
}

// signer signs without a store.
func signer(context.Context, driver.SignRequest) (driver.SignedURL, error) {
	return driver.SignedURL{URL: "https://cdn.example/blob", Expires: time.Now().Add(time.Hour)}, nil
}

// TestSignaturesAreCounted counts what was signed, and not what was handed out again.
func TestSignaturesAreCounted(t *testing.T) {
	for name, s := range map[string]*blobstore.Store{
		"the store": given(t, driver.WithFeatures(mem.New(), func(f *driver.Features) { f.Sign = signer }), blobstore.Options{}),
		"a CDN":     given(t, mem.New(), blobstore.Options{Signer: signer}),
	} {
		before := scrape(t)
		for range 3 {
			if _, err := friend.Of(s).SignKey(t.Context(), http.MethodGet, "key"); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		wantMore(t, before, map[string]float64{`blobdock_storage_signed_urls_total{outcome="ok"}`: 1})
		s.Close()
	}
}

// TestStoresAddUp opens several stores in one process, as "serve" does, which looks
// at the store before it serves it.
func TestStoresAddUp(t *testing.T) {
	before := scrape(t)
	one := given(t, mem.New(), blobstore.Options{})
	two := given(t, mem.New(), blobstore.Options{})
	f, err := friend.Of(one).Append(t.Context(), "some/file", false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	wantMore(t, before, map[string]float64{
		"blobdock_memory_budget_bytes": 2 * registry.DefaultMemoryBudget,
		"blobdock_memory_used_bytes":   float64(one.Usage().Memory),
		"blobdock_memory_waiters":      0,
		"blobdock_uploads_open":        1,
	})
	if one.Usage().Memory < 1000 {
		t.Errorf("%d bytes of memory hold 1000", one.Usage().Memory)
	}
	_ = f.Cancel(t.Context())
	_, _, _ = one.Close(), one.Close(), two.Close()
	wantMore(t, before, map[string]float64{
		"blobdock_memory_budget_bytes": 0, "blobdock_memory_used_bytes": 0, "blobdock_uploads_open": 0,
	})
}
