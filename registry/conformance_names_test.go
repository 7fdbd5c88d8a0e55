package registry_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/mem"
	"github.com/blobdock/blobdock/internal/layout"
)

// TestRepositoriesNamedLikeEndpoints pushes, lists and deletes where names are those of
// endpoints.
func TestRepositoriesNamedLikeEndpoints(t *testing.T) {
	srv := serve(t, mem.New())
	for _, repo := range []string{
		"referrers", "x/referrers/y", "referrers/referrers", "manifests", "manifests/referrers", "a/manifests/b",
		"blobs", "tags", "team/tags/list", "team/tags", "list", "v2", "uploads",
	} {
		c := clientOf(t, srv, repo)
		m := c.image(digest.SHA256, nil)
		s := c.artifact("application/vnd.example", &m.desc)
		c.push("v1", m)
		c.push(s.desc.Digest.String(), s)
		c.has("v1", m)
		c.has(m.desc.Digest.String(), m)
		if got := c.referrers(m.desc.Digest, ""); len(got) != 1 || got[0].Digest != s.desc.Digest {
			t.Errorf("%s: referrers %v", repo, got)
		}
		if got := c.tags(""); len(got) != 1 || got[0] != "v1" {
			t.Errorf("%s: tags %v", repo, got)
		}
		c.remove(m.desc.Digest.String())
		c.lacks("v1")
		c.lacks(m.desc.Digest.String())
	}
}

// TestReferrersPaths asks for referrers of what is no digest, and where no repository is.
func TestReferrersPaths(t *testing.T) {
	srv := serve(t, mem.New())
	d := digest.FromString("x")
	for path, want := range map[string]int{
		"/v2/a/referrers/latest":                          http.StatusBadRequest,
		"/v2/a/referrers/sha256:abc":                      http.StatusBadRequest,
		"/v2/a/referrers/sha256:" + d.Encoded() + "0":     http.StatusBadRequest,
		"/v2/a/referrers/SHA256:" + d.Encoded():           http.StatusBadRequest,
		"/v2/a/referrers/sha256%3A" + d.Encoded():         http.StatusOK,
		"/v2/a/referrers/sha256:..%2f..%2f" + d.Encoded(): http.StatusMovedPermanently,
		"/v2/a%2fb/referrers/" + d.String():               http.StatusOK,
		"/v2/A/referrers/" + d.String():                   http.StatusBadRequest,
		"/v2/referrers/" + d.String():                     http.StatusNotFound,
		"/v2/a/referrers/":                                http.StatusBadRequest,
		"/v2/a/referrers":                                 http.StatusNotFound,
		"/a/referrers/" + d.String():                      http.StatusNotFound,
	} {
		if resp, body := do(t, http.MethodGet, srv.URL+path, nil, nil); resp.StatusCode != want {
			t.Errorf("GET %s: %s, want %d: %s", path, resp.Status, want, body)
		}
	}
}

// TestReferrersMethods has HEAD answer as GET does, and no other method.
func TestReferrersMethods(t *testing.T) {
	srv := serve(t, mem.New())
	at := srv.URL + "/v2/a/referrers/" + digest.FromString("x").String()
	get, body := do(t, http.MethodGet, at, nil, nil)
	head, _ := do(t, http.MethodHead, at, nil, nil)
	if head.StatusCode != http.StatusOK || head.ContentLength != int64(len(body)) || head.Header.Get("Content-Type") != get.Header.Get("Content-Type") {
		t.Errorf("HEAD: %s, %v", head.Status, head.Header)
	}
	for _, method := range []string{http.MethodPut, http.MethodPost, http.MethodPatch, http.MethodDelete} {
		if resp, body := do(t, method, at, nil, nil); resp.StatusCode != http.StatusNotFound && resp.StatusCode != http.StatusMethodNotAllowed {
			t.Errorf("%s: %s: %s", method, resp.Status, body)
		}
	}
}

// TestWithoutMiddleware runs the handler before a registry whose manifests are distribution's
// own: it has no referrers, which is a 404 and not the list of tags.
func TestWithoutMiddleware(t *testing.T) {
	for name, change := range map[string]func(*configuration.Configuration){
		"none":     func(c *configuration.Configuration) { c.Middleware = nil },
		"disabled": func(c *configuration.Configuration) { c.Middleware["registry"][0].Disabled = true },
	} {
		c := clientOf(t, serveConfigured(t, mem.New(), change), "a")
		m := c.image(digest.SHA256, nil)
		c.push("v1", m)
		if resp, body := do(t, http.MethodGet, c.base+"/referrers/"+m.desc.Digest.String(), nil, nil); resp.StatusCode != http.StatusNotFound {
			t.Errorf("%s: GET of referrers: %s: %s", name, resp.Status, body)
		}
		odd := manifestOf(t, "application/vnd.example+json", digest.SHA256, map[string]string{"mediaType": "application/vnd.example+json"})
		if resp, body := c.put("odd", odd); resp.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: PUT of an unknown type: %s: %s", name, resp.Status, body)
		}
	}
}

// TestNamesWithPort has a repository whose name has a port, as versions of distribution took it.
// It is refused, and served once its folder has another name.
func TestNamesWithPort(t *testing.T) {
	b := mem.New()
	c := clientOf(t, serve(t, b), "team/app")
	m := c.image(digest.SHA256, nil)
	c.push("v1", m)
	rename := func(from, to string) {
		t.Helper()
		for e, err := range driver.List(t.Context(), b, driver.ListRequest{Prefix: from}) {
			if err == nil {
				_, err = b.Features().Copy(t.Context(), driver.CopyRequest{Src: driver.Source{Key: e.Key}, Dst: to + strings.TrimPrefix(e.Key, from)})
			}
			if err == nil {
				err = b.Delete(t.Context(), e.Key, driver.DeleteOptions{})
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	repos := layout.Layout{Root: layout.DefaultRoot}.Repositories()
	rename(repos+"team/app/", repos+"localhost:5000/app/")
	old := clientOf(t, serve(t, b), "localhost:5000/app")
	if resp, body := old.get("v1"); resp.StatusCode != http.StatusBadRequest || !strings.Contains(body, "NAME_INVALID") {
		t.Errorf("GET: %s: %s", resp.Status, body)
	}
	if resp, body := old.put("v2", m); resp.StatusCode != http.StatusBadRequest || !strings.Contains(body, "NAME_INVALID") {
		t.Errorf("PUT: %s: %s", resp.Status, body)
	}
	rename(repos+"localhost:5000/app/", repos+"moved/app/")
	clientOf(t, serve(t, b), "moved/app").has("v1", m)
}
