package registry_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/distribution/distribution/v3/registry/handlers"
	"github.com/opencontainers/go-digest"
	"github.com/sirupsen/logrus"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/mem"
	"github.com/blobdock/blobdock/registry"
)

// buckets are what the URL scheme "given" opens, by host.
var buckets sync.Map

func init() {
	driver.Register("given", func(_ context.Context, u *url.URL, _ *driver.Params) (func() (driver.Bucket, error), error) {
		b, ok := buckets.Load(u.Host)
		if !ok {
			return nil, fmt.Errorf("no bucket is given as %q", u.Host)
		}
		return func() (driver.Bucket, error) { return b.(driver.Bucket), nil }, nil
	})
	logrus.SetOutput(io.Discard)
}

// serve runs distribution's application on b, as registry.NewRegistry would.
// Several replicas can serve one bucket.
func serve(t testing.TB, b driver.Bucket) *httptest.Server {
	t.Helper()
	return serveWith(t, b, "")
}

// serveWith is serve with parameters of the engine.
func serveWith(t testing.TB, b driver.Bucket, params string) *httptest.Server {
	t.Helper()
	srv := httptest.NewServer(handler(t, b, params))
	t.Cleanup(srv.Close)
	return srv
}

// handler is what serveWith serves.
func handler(t testing.TB, b driver.Bucket, params string) http.Handler {
	t.Helper()
	return configured(t, b, params, func(*configuration.Configuration) {})
}

// configured is handler with a changed configuration.
func configured(t testing.TB, b driver.Bucket, params string, change func(*configuration.Configuration)) http.Handler {
	t.Helper()
	config := configurationOf(t, b, params)
	change(config)
	return registry.Handler(config, application(t, config))
}

// application is distribution's application, without Handler.
func application(t testing.TB, config *configuration.Configuration) http.Handler {
	t.Helper()
	app := handlers.NewApp(t.Context(), config)
	t.Cleanup(func() { _ = app.Shutdown() })
	return app
}

func configurationOf(t testing.TB, b driver.Bucket, params string) *configuration.Configuration {
	t.Helper()
	name := fmt.Sprintf("b%d", rand.Uint64())
	buckets.Store(name, b)
	t.Cleanup(func() { buckets.Delete(name) })
	config := &configuration.Configuration{
		Storage: configuration.Storage{
			"blobdock":    {"url": "given://" + name + "?" + params},
			"delete":      {"enabled": true},
			"maintenance": {"uploadpurging": map[any]any{"enabled": false}},
		},
		Middleware: map[string][]configuration.Middleware{"registry": {{Name: "blobdock"}}},
	}
	config.HTTP.Secret = "shared by all replicas"
	return config
}

// httpClient follows no redirects. The connections are its own: whoever closes an httptest.Server
// closes idle ones of http.DefaultTransport, and a request fails whose connection is just becoming
// idle.
var httpClient = &http.Client{
	Transport:     http.DefaultTransport.(*http.Transport).Clone(),
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

func do(t testing.TB, method, url string, header map[string]string, body io.Reader) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range header {
		req.Header.Set(k, v)
	}
	resp, err := httpClient.Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	return resp, string(b)
}

func begin(t testing.TB, srv *httptest.Server, repo string) string {
	t.Helper()
	resp, body := do(t, http.MethodPost, srv.URL+"/v2/"+repo+"/blobs/uploads/", nil, nil)
	if resp.StatusCode != http.StatusAccepted {
		t.Fatalf("POST: %s: %s", resp.Status, body)
	}
	return resp.Header.Get("Location")
}

func withDigest(location string, d digest.Digest) string { return location + "&digest=" + d.String() }

func content(n int) []byte {
	p := make([]byte, n)
	r := rand.NewChaCha8([32]byte{1})
	_, _ = r.Read(p)
	return p
}

func TestPushAndPull(t *testing.T) {
	t.Parallel()
	srv := serve(t, mem.New())
	for _, size := range []int{0, 100, 9 << 20} {
		for _, alg := range []digest.Algorithm{digest.SHA256, digest.SHA512} {
			p := content(size)
			d := alg.FromBytes(p)
			for _, way := range []string{"stream", "monolithic"} {
				t.Run(fmt.Sprintf("%d/%s/%s", size, alg, way), func(t *testing.T) {
					at, body := begin(t, srv, "a/b"), io.Reader(bytes.NewReader(p))
					if way == "stream" {
						resp, msg := do(t, http.MethodPatch, at, nil, body)
						if resp.StatusCode != http.StatusAccepted {
							t.Fatalf("PATCH: %s: %s", resp.Status, msg)
						}
						at, body = resp.Header.Get("Location"), nil
					}
					resp, msg := do(t, http.MethodPut, withDigest(at, d), nil, body)
					if resp.StatusCode != http.StatusCreated {
						t.Fatalf("PUT: %s: %s", resp.Status, msg)
					}
					if got := resp.Header.Get("Docker-Content-Digest"); got != d.String() {
						t.Errorf("PUT answers digest %s, want %s", got, d)
					}
					resp, got := do(t, http.MethodGet, srv.URL+"/v2/a/b/blobs/"+d.String(), nil, nil)
					if resp.StatusCode != http.StatusOK || got != string(p) {
						t.Fatalf("GET: %s, %d bytes", resp.Status, len(got))
					}
					if got := resp.Header.Get("Docker-Content-Digest"); got != d.String() {
						t.Errorf("GET answers digest %s, want %s", got, d)
					}
				})
			}
		}
	}
}

func TestRanges(t *testing.T) {
	srv := serve(t, mem.New())
	p := content(1000)
	d := digest.FromBytes(p)
	if resp, msg := do(t, http.MethodPut, withDigest(begin(t, srv, "a"), d), nil, bytes.NewReader(p)); resp.StatusCode != http.StatusCreated {
		t.Fatalf("PUT: %s: %s", resp.Status, msg)
	}
	at := srv.URL + "/v2/a/blobs/" + d.String()
	for _, tc := range []struct {
		header map[string]string
		status int
		want   string
	}{
		{nil, 200, string(p)},
		{map[string]string{"Range": "bytes=10-19"}, 206, string(p[10:20])},
		{map[string]string{"Range": "bytes=990-"}, 206, string(p[990:])},
		{map[string]string{"Range": "bytes=-5"}, 206, string(p[995:])},
		{map[string]string{"Range": "bytes=1000-"}, 416, "invalid range: failed to overlap\n"},
		{map[string]string{"If-None-Match": `"` + d.String() + `"`}, 304, ""},
		{map[string]string{"Range": "bytes=0-0", "If-Range": `"other"`}, 200, string(p)},
		{map[string]string{"Range": "bytes=0-0", "If-Range": `"` + d.String() + `"`}, 206, string(p[:1])},
	} {
		resp, got := do(t, http.MethodGet, at, tc.header, nil)
		if resp.StatusCode != tc.status || got != tc.want {
			t.Errorf("GET with %v: %s with %d bytes, want %d with %d", tc.header, resp.Status, len(got), tc.status, len(tc.want))
		}
	}
}

func TestErrors(t *testing.T) {
	b := mem.New()
	srv, replica := serve(t, b), serve(t, b)
	p := content(100)
	d := digest.FromBytes(p)
	other := digest.FromString("other")

	put := func(at string) func(t *testing.T) (*http.Response, string) {
		return func(t *testing.T) (*http.Response, string) {
			return do(t, http.MethodPut, at, nil, bytes.NewReader(p))
		}
	}
	for _, tc := range []struct {
		name   string
		call   func(t *testing.T) (*http.Response, string)
		status int
		code   string
	}{
		{"wrong digest", put(withDigest(begin(t, srv, "a"), other)), 400, "DIGEST_INVALID"},
		{"malformed digest", put(begin(t, srv, "a") + "&digest=sha256:xyz"), 400, "DIGEST_INVALID"},
		{"unsupported algorithm", put(begin(t, srv, "a") + "&digest=sha384:" + strings.Repeat("0", 96)), 404, "BLOB_UPLOAD_INVALID"},
		{"unknown upload", func(t *testing.T) (*http.Response, string) {
			at := begin(t, srv, "a")
			do(t, http.MethodDelete, at, nil, nil)
			return do(t, http.MethodPatch, at, nil, bytes.NewReader(p))
		}, 404, "BLOB_UPLOAD_UNKNOWN"},
		{"repeated commit", func(t *testing.T) (*http.Response, string) {
			at := begin(t, srv, "a")
			do(t, http.MethodPut, withDigest(at, d), nil, bytes.NewReader(p))
			return do(t, http.MethodPut, withDigest(at, d), nil, bytes.NewReader(p))
		}, 201, ""},
		{"commit after DELETE", func(t *testing.T) (*http.Response, string) {
			at := patched(t, srv, begin(t, srv, "a"), p)
			do(t, http.MethodDelete, at, nil, nil)
			return do(t, http.MethodPut, withDigest(at, other), nil, nil)
		}, 404, "BLOB_UPLOAD_UNKNOWN"},
		{"wrong offset", func(t *testing.T) (*http.Response, string) {
			return do(t, http.MethodPatch, begin(t, srv, "a"), map[string]string{"Content-Range": "50-149"}, bytes.NewReader(p))
		}, 416, "RANGE_INVALID"},
		{"another branch", func(t *testing.T) (*http.Response, string) {
			at := begin(t, srv, "a")
			patched(t, srv, at, p[:50])
			return do(t, http.MethodPut, withDigest(patched(t, srv, at, p), d), nil, nil)
		}, 201, ""},
		{"stale state, wrong digest", func(t *testing.T) (*http.Response, string) {
			at := patched(t, srv, begin(t, srv, "a"), p[:50])
			patched(t, srv, at, p[50:])
			return do(t, http.MethodPut, withDigest(at, other), nil, nil)
		}, 416, "RANGE_INVALID"},
		{"unknown blob", func(t *testing.T) (*http.Response, string) {
			return do(t, http.MethodGet, srv.URL+"/v2/a/blobs/"+other.String(), nil, nil)
		}, 404, "BLOB_UNKNOWN"},
		{"damaged state", func(t *testing.T) (*http.Response, string) {
			at := patched(t, srv, begin(t, srv, "a"), p)
			spoil(t, b, func(p []byte) { p[len(p)-200] ^= 1 })
			return do(t, http.MethodPatch, on(replica, at), nil, bytes.NewReader(p))
		}, 404, "BLOB_UPLOAD_UNKNOWN"},
		{"newer state", func(t *testing.T) (*http.Response, string) {
			at := patched(t, srv, begin(t, srv, "a"), p)
			spoil(t, b, func(p []byte) { p[len("blobdock upload state\n")] = 99 })
			return do(t, http.MethodPatch, on(replica, at), nil, bytes.NewReader(p))
		}, 503, "UNAVAILABLE"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			resp, body := tc.call(t)
			if resp.StatusCode != tc.status || !strings.Contains(body, tc.code) {
				t.Errorf("%s: %s, want %d %s", resp.Status, body, tc.status, tc.code)
			}
		})
	}
}

// on is at as another replica has it.
func on(srv *httptest.Server, at string) string {
	u, _ := url.Parse(at)
	return srv.URL + u.RequestURI()
}

// patched sends p to an upload, and is where the upload goes on. The answer names it
// twice.
func patched(t *testing.T, srv *httptest.Server, at string, p []byte) string {
	t.Helper()
	resp, msg := do(t, http.MethodPatch, on(srv, at), nil, bytes.NewReader(p))
	next := resp.Header.Get("Location")
	if resp.StatusCode != http.StatusAccepted {
		t.Fatalf("PATCH: %s: %s", resp.Status, msg)
	}
	if id := resp.Header.Get("Docker-Upload-UUID"); id == "" || !strings.Contains(next, "/uploads/"+id+"?") {
		t.Errorf("PATCH names the upload %q, Location %s", id, next)
	}
	return next
}

// spoil changes every upload's states.
func spoil(t *testing.T, b driver.Bucket, change func([]byte)) {
	t.Helper()
	for e, err := range driver.List(t.Context(), b, driver.ListRequest{}) {
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(e.Key, "/s/0") {
			continue
		}
		r, err := b.Open(t.Context(), e.Key, driver.Range{}, driver.ReadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		p, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		change(p)
		if _, err := b.Put(t.Context(), e.Key, io.NewSectionReader(bytes.NewReader(p), 0, int64(len(p))), driver.WriteOptions{}); err != nil {
			t.Fatal(err)
		}
	}
}

// TestRace has two replicas PATCH one upload at once, over and over. Each answer leads to
// a branch that has what this request sent.
func TestRace(t *testing.T) {
	t.Parallel()
	b := mem.New()
	one, two := serve(t, b), serve(t, b)
	for round := range 7 {
		at := begin(t, one, "race")
		size := 100 + round*1_500_000
		bodies := [2][]byte{content(size), bytes.Repeat([]byte{byte(round)}, size)}
		var next [2]string
		var wg sync.WaitGroup
		for i, srv := range []*httptest.Server{one, two} {
			wg.Go(func() {
				resp, _ := do(t, http.MethodPatch, on(srv, at), nil, bytes.NewReader(bodies[i]))
				next[i] = resp.Header.Get("Location")
			})
		}
		wg.Wait()
		for i, body := range bodies {
			d := digest.FromBytes(body)
			if resp, msg := do(t, http.MethodPut, withDigest(next[i], d), nil, nil); resp.StatusCode != http.StatusCreated {
				t.Fatalf("round %d: PUT: %s: %s", round, resp.Status, msg)
			}
			if _, got := do(t, http.MethodGet, one.URL+"/v2/race/blobs/"+d.String(), nil, nil); got != string(body) {
				t.Fatalf("round %d: content differs", round)
			}
		}
	}
	for u, err := range driver.ListUploads(t.Context(), b, driver.ListRequest{}) {
		t.Errorf("upload left at %s (%v)", u.Key, err)
	}
}

// TestStatus asks by each id that an upload has had. All lead to the furthest bytes.
func TestStatus(t *testing.T) {
	b := mem.New()
	one, two := serve(t, b), serve(t, b)
	p := content(100)
	first := begin(t, one, "a")
	second := patched(t, one, first, p[:30])
	third := patched(t, two, second, p[30:60])
	for _, at := range []string{first, second, third} {
		resp, msg := do(t, http.MethodGet, on(two, at), nil, nil)
		if resp.StatusCode != http.StatusNoContent || resp.Header.Get("Range") != "0-59" {
			t.Fatalf("GET %s: %s, Range %s: %s", at, resp.Status, resp.Header.Get("Range"), msg)
		}
		next := resp.Header.Get("Location")
		if id := resp.Header.Get("Docker-Upload-UUID"); id == "" || !strings.Contains(next, "/uploads/"+id+"?") || !strings.Contains(third, id) {
			t.Errorf("GET %s names the upload %q, Location %s, want %s", at, id, next, third)
		}
		third = next
	}
	resp, msg := do(t, http.MethodPut, withDigest(third, digest.FromBytes(p)), map[string]string{"Content-Range": "60-99"}, bytes.NewReader(p[60:]))
	if resp.StatusCode != http.StatusCreated {
		t.Fatalf("PUT: %s: %s", resp.Status, msg)
	}
}

// TestBehindTLS has a proxy end TLS: what clients are sent on to is https.
func TestBehindTLS(t *testing.T) {
	srv := serve(t, mem.New())
	header := map[string]string{"X-Forwarded-Proto": "https", "X-Forwarded-Host": "registry.example.com"}
	resp, body := do(t, http.MethodPost, srv.URL+"/v2/tls/blobs/uploads/", header, nil)
	if at := resp.Header.Get("Location"); resp.StatusCode != http.StatusAccepted || !strings.HasPrefix(at, "https://registry.example.com/v2/tls/blobs/uploads/") {
		t.Errorf("%s, Location %s: %s", resp.Status, at, body)
	}
}
