package integration_test

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	_ "github.com/blobdock/blobdock/cloudcdn"
	"github.com/blobdock/blobdock/integration/emulator"
)

// TestPull looks at the answers to a pull by header, with redirects and without.
func TestPull(t *testing.T) {
	eachWayOn(t, func(t *testing.T, store cloud, base string) {
		redirects := strings.HasSuffix(t.Name(), "_on")
		c := content{100 * kib, 1}
		all := string(c.bytes(t))
		for _, alg := range []digest.Algorithm{digest.SHA256, digest.SHA512} {
			d := alg.FromString(all)
			at := base + "/v2/pull/blobs/" + d.String()
			for _, way := range []string{"stream", "put"} {
				rest, to := c.reader(), begin(t, base, "pull")
				if way == "stream" {
					rest, to = nil, patch(t, to, c, 0, c.size)
				}
				res := do(t, http.MethodPut, withDigest(to, d), nil, rest).want(t, http.StatusCreated)
				if got := res.Header.Get("Docker-Content-Digest"); got != d.String() {
					t.Errorf("%s PUT answers %s, want %s", way, got, d)
				}
			}

			head := do(t, http.MethodHead, at, nil, nil).want(t, http.StatusOK)
			if head.ContentLength != c.size || head.Header.Get("Docker-Content-Digest") != d.String() {
				t.Errorf("HEAD: %d bytes of %s, want %d of %s", head.ContentLength, head.Header.Get("Docker-Content-Digest"), c.size, d)
			}
			for _, tc := range []struct {
				asked  string
				status int
				want   string
			}{
				{"", http.StatusOK, all},
				{"bytes=10-19", http.StatusPartialContent, all[10:20]},
				{"bytes=102000-", http.StatusPartialContent, all[102000:]},
				{"bytes=-7", http.StatusPartialContent, all[len(all)-7:]},
			} {
				header := map[string]string{}
				if tc.asked != "" {
					header["Range"] = tc.asked
				}
				res := do(t, http.MethodGet, at, header, nil)
				// Azure takes no ranges that count from the end, so that these are streamed.
				// https://learn.microsoft.com/en-us/rest/api/storageservices/specifying-the-range-header-for-blob-service-operations
				if redirects && (!isAzure(store) || !strings.HasPrefix(tc.asked, "bytes=-")) {
					res.want(t, http.StatusTemporaryRedirect)
					if got := res.Header.Get("Docker-Content-Digest"); got != d.String() {
						t.Errorf("redirect answers %s, want %s", got, d)
					}
					res = do(t, http.MethodGet, res.location(), header, nil)
				}
				res.want(t, tc.status)
				if res.body != tc.want {
					t.Errorf("range %q: %d bytes, want %d", tc.asked, len(res.body), len(tc.want))
				}
			}
		}
	})
}

// TestRedirectGoesToTheStore makes sure that a redirect leaves the registry, and
// that what it leads to is not for everybody, nor for ever.
func TestRedirectGoesToTheStore(t *testing.T) {
	onEach(t, redirects)
}

func redirects(t *testing.T, c cloud) {
	bucket := c.newBucket(t)
	base := serve(t, on(t, c, bucket)).URL
	first, second := content{64 * kib, 1}, content{64 * kib, 2} // smaller ones may be streamed
	push(t, base, "signed", first, 0)
	push(t, base, "signed", second, 0)
	to := redirectOf(t, base, first)
	if !strings.HasPrefix(to.String(), c.endpoint()+"/") {
		t.Fatalf("redirect to %s, want a URL at %s", to, c.endpoint())
	}
	if res := do(t, http.MethodGet, to.String(), nil, nil).want(t, http.StatusOK); res.body != string(first.bytes(t)) {
		t.Errorf("the signed URL gives %d bytes, want %d", len(res.body), first.size)
	}
	if isGCS(c) {
		// fake-gcs-server looks at no signature, and would serve all that the
		// others refuse.
		if to.Query().Get("X-Goog-Signature") == "" {
			t.Errorf("redirect to %s, want a signed URL", to)
		}
		return
	}

	short := on(t, c, bucket)
	short["blobdock"]["redirect_expiry"] = "1s"
	expired := redirectOf(t, serve(t, short).URL, first)
	signed := time.Now()
	for name, refused := range map[string]*url.URL{
		"without a signature":        edited(to, func(q url.Values) { clear(q) }),
		"with another's signature":   elsewhere(to, redirectOf(t, base, second)),
		"with a signature changed":   edited(to, func(q url.Values) { changeFirst(q, "X-Amz-Signature", "sig") }),
		"with the expiry put off":    edited(to, func(q url.Values) { putOff(q) }),
		"with the content type set":  edited(to, func(q url.Values) { setFirst(q, "text/html", "response-content-type", "rsct") }),
		"with the signature dropped": edited(to, func(q url.Values) { q.Del("X-Amz-Signature"); q.Del("sig") }),
	} {
		wantForbidden(t, name, refused)
	}
	time.Sleep(time.Until(signed.Add(2 * time.Second)))
	wantForbidden(t, "after its expiry", expired)
}

// redirectOf is where a pull of c is sent.
func redirectOf(t *testing.T, base string, c content) *url.URL {
	t.Helper()
	res := do(t, http.MethodGet, base+"/v2/signed/blobs/"+c.digest().String(), nil, nil).want(t, http.StatusTemporaryRedirect)
	to, err := url.Parse(res.location())
	if err != nil {
		t.Fatal(err)
	}
	return to
}

func edited(u *url.URL, edit func(url.Values)) *url.URL {
	out, q := *u, u.Query()
	edit(q)
	out.RawQuery = q.Encode()
	return &out
}

// elsewhere is another's path with u's signature.
func elsewhere(u, other *url.URL) *url.URL {
	out := *u
	out.Path, out.RawPath = other.Path, other.RawPath
	return &out
}

// setFirst sets the one of the parameters that there is.
func setFirst(q url.Values, value string, names ...string) {
	for _, name := range names {
		if q.Has(name) {
			q.Set(name, value)
		}
	}
}

// changeFirst changes the first letter of a parameter's value.
func changeFirst(q url.Values, names ...string) {
	for _, name := range names {
		if v := q.Get(name); strings.HasPrefix(v, "0") {
			q.Set(name, "1"+v[1:])
		} else if v != "" {
			q.Set(name, "0"+v[1:])
		}
	}
}

// putOff has a URL expire a day later.
func putOff(q url.Values) {
	setFirst(q, "86400", "X-Amz-Expires")
	setFirst(q, time.Now().Add(24*time.Hour).UTC().Format(time.RFC3339), "se")
}

func wantForbidden(t *testing.T, what string, u *url.URL) {
	t.Helper()
	res := do(t, http.MethodGet, u.String(), nil, nil)
	if res.StatusCode/100 != 4 {
		t.Errorf("a URL %s answers %s, want it refused", what, res.Status)
	}
}

// TestRedirectToBackendBucket pulls through a load balancer before the bucket, by the store's
// own signatures and by Cloud CDN's. Its paths have no bucket.
func TestRedirectToBackendBucket(t *testing.T) {
	c := gcsCloud{GCS: emulator.StartGCS(t)}
	bucket := c.newBucket(t)
	origin, err := url.Parse(c.endpoint() + "/" + bucket)
	if err != nil {
		t.Fatal(err)
	}
	balancer := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(origin)
		if r.In.URL.Query().Has("KeyName") {
			r.Out.URL.RawQuery = "" // the CDN's signature is not for its origin
		}
	}})
	t.Cleanup(balancer.Close)
	key := filepath.Join(t.TempDir(), "cdn.key")
	if err := os.WriteFile(key, []byte("nZtRohdNF9m3cKM24IcK4w==\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	at := url.QueryEscape(balancer.URL)
	for name, params := range map[string]string{
		"signed by the store": "&redirect_bucket_bound=true&redirect_endpoint=" + at,
		"signed for the CDN":  "&redirect_signer=cloudcdn&cloudcdn_key_name=my-key&cloudcdn_key_file=" + url.QueryEscape(key) + "&cloudcdn_url=" + at,
	} {
		base := serve(t, blobdock(c.url(t, bucket)+params)).URL
		layer := content{64 * kib, 1}
		push(t, base, "signed", layer, 0)
		to := redirectOf(t, base, layer)
		if !strings.HasPrefix(to.String(), balancer.URL+"/docker/") {
			t.Errorf("%s: redirected to %s, want %s", name, to.Redacted(), balancer.URL)
		}
		if res := do(t, http.MethodGet, to.String(), nil, nil).want(t, http.StatusOK); res.body != string(layer.bytes(t)) {
			t.Errorf("%s: %d bytes, want %d", name, len(res.body), layer.size)
		}
	}
}
