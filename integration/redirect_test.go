package integration_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/integration/emulator"
)

// TestPull looks at the answers to a pull by header, with redirects and without.
func TestPull(t *testing.T) {
	eachWay(t, func(t *testing.T, base string) {
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
				if redirects {
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
// that what it leads to is not for everybody.
func TestRedirectGoesToTheStore(t *testing.T) {
	s := emulator.Start(t)
	base := serve(t, onS3(t, s, s.NewBucket(t))).URL
	c := content{kib, 1}
	push(t, base, "signed", c, 0)
	res := do(t, http.MethodGet, base+"/v2/signed/blobs/"+c.digest().String(), nil, nil).want(t, http.StatusTemporaryRedirect)
	to := res.location()
	if !strings.HasPrefix(to, s.Endpoint+"/") || !strings.Contains(to, "X-Amz-Signature=") {
		t.Fatalf("redirect to %s, want a signed URL at %s", to, s.Endpoint)
	}
	bare, _, _ := strings.Cut(to, "?")
	do(t, http.MethodGet, bare, nil, nil).want(t, http.StatusForbidden)
}
