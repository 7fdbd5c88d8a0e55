package registry_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/distribution/distribution/v3/configuration"
	_ "github.com/distribution/distribution/v3/registry/auth/silly" // registers itself
	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/driver/mem"
	"github.com/blobdock/blobdock/driver/meter"
)

// TestConformancePrefix serves all below a path, or has URLs that are relative.
func TestConformancePrefix(t *testing.T) {
	for _, prefix := range []string{"/some/prefix", ""} {
		relative := prefix == ""
		srv := serveConfigured(t, mem.New(), func(c *configuration.Configuration) {
			c.HTTP.Prefix, c.HTTP.RelativeURLs = prefix+"/", relative
		})
		c := repoClient{t, srv.URL + prefix + "/v2/referrers/x"}
		m := c.image(digest.SHA512, nil)
		s := c.artifact(typeA, &m.desc)
		resp := c.push(m.desc.Digest.String()+"?tag=v1", m)
		if at := resp.Header.Get("Location"); strings.HasPrefix(at, "/v2/") != relative {
			t.Errorf("Location %s, relative %t", at, relative)
		}
		c.push(s.desc.Digest.String(), s)
		c.has("v1", m)
		c.refer(m.desc.Digest, "", s)
		c.refer(m.desc.Digest, typeA, s)
		resp, _ = do(t, http.MethodGet, srv.URL+"/v2/referrers/x/referrers/"+m.desc.Digest.String(), nil, nil)
		if !relative && resp.StatusCode != http.StatusNotFound {
			t.Errorf("GET outside of the prefix: %s", resp.Status)
		}
	}
}

// TestConformanceRefusedMethods has registries that may not be written to, or not deleted from.
func TestConformanceRefusedMethods(t *testing.T) {
	b := mem.New()
	c := clientOf(t, serve(t, b), "a")
	m := c.image(digest.SHA256, nil)
	s := c.artifact(typeA, &m.desc)
	c.push("v1", m)
	c.push(s.desc.Digest.String(), s)
	for name, change := range map[string]func(*configuration.Configuration){
		"no delete": func(c *configuration.Configuration) { delete(c.Storage, "delete") },
		"readonly": func(c *configuration.Configuration) {
			c.Storage["maintenance"]["readonly"] = map[any]any{"enabled": true}
		},
	} {
		c := clientOf(t, serveConfigured(t, b, change), "a")
		for _, ref := range []string{"v1", m.desc.Digest.String(), digest.FromString("x").String()} {
			resp, body := do(t, http.MethodDelete, c.base+"/manifests/"+ref, nil, nil)
			if resp.StatusCode != http.StatusMethodNotAllowed || name == "no delete" && !strings.Contains(body, "UNSUPPORTED") {
				t.Errorf("%s: DELETE %s: %s: %s", name, ref, resp.Status, body)
			}
		}
		if resp, body := c.put("v2", m); name == "readonly" && resp.StatusCode != http.StatusMethodNotAllowed {
			t.Errorf("PUT: %s: %s", resp.Status, body)
		}
		c.has("v1", m)
		c.refer(m.desc.Digest, "", s)
	}
}

// TestConformanceAuthorization asks without a token. The store is not asked.
func TestConformanceAuthorization(t *testing.T) {
	b := mem.New()
	c := clientOf(t, serve(t, b), "a")
	m := c.image(digest.SHA256, nil)
	s := c.artifact(typeA, &m.desc)
	c.push("v1", m)
	c.push(s.desc.Digest.String(), s)
	var calls meter.Counter
	srv := serveConfigured(t, meter.Wrap(b, calls.Observe), func(c *configuration.Configuration) {
		c.Auth = configuration.Auth{"silly": {"realm": "https://auth.example.com", "service": "test"}}
	})
	token := map[string]string{"Authorization": "seriously, anything"}
	referrers := srv.URL + "/v2/a/referrers/" + m.desc.Digest.String()
	calls.Reset()
	for _, tt := range []struct{ method, path string }{
		{http.MethodGet, referrers}, {http.MethodHead, referrers}, {http.MethodGet, referrers + "?artifactType=x"},
		{http.MethodGet, srv.URL + "/v2/a/manifests/v1"}, {http.MethodGet, srv.URL + "/v2/a/tags/list"},
		{http.MethodPut, srv.URL + "/v2/a/manifests/" + s.desc.Digest.String() + "?tag=x"}, {http.MethodDelete, srv.URL + "/v2/a/manifests/v1"},
	} {
		resp, body := do(t, tt.method, tt.path, nil, nil)
		if resp.StatusCode != http.StatusUnauthorized || resp.Header.Get("WWW-Authenticate") == "" {
			t.Errorf("%s %s: %s, WWW-Authenticate %q: %s", tt.method, tt.path, resp.Status, resp.Header.Get("WWW-Authenticate"), body)
		}
		scope := `scope="repository:a:pull"`
		if tt.method == http.MethodGet && !strings.Contains(resp.Header.Get("WWW-Authenticate"), scope) {
			t.Errorf("%s: WWW-Authenticate %s, want %s", tt.path, resp.Header.Get("WWW-Authenticate"), scope)
		}
	}
	if n := calls.Total().Calls; n > 0 {
		t.Errorf("the store was asked without a token:\n%s", &calls)
	}
	resp, body := do(t, http.MethodGet, referrers, token, nil)
	if resp.StatusCode != http.StatusOK || !strings.Contains(body, s.desc.Digest.String()) {
		t.Errorf("with a token: %s: %s", resp.Status, body)
	}
}

// TestConformanceContentManagement deletes tags and manifests.
func TestConformanceContentManagement(t *testing.T) {
	c := clientOf(t, serve(t, mem.New()), "conf/management")
	m := c.image(digest.SHA256, nil)
	d := m.desc.Digest.String()
	for _, tag := range []string{"v1", "v1-rc", "v2"} {
		c.push(tag, m)
	}
	c.remove("v1")
	c.lacks("v1")
	c.has("v1-rc", m)
	c.has(d, m)
	c.remove(d)
	for _, ref := range []string{d, "v1-rc", "v2"} {
		c.lacks(ref)
		if resp, body := do(t, http.MethodDelete, c.base+"/manifests/"+ref, nil, nil); resp.StatusCode != http.StatusNotFound {
			t.Errorf("DELETE %s again: %s: %s", ref, resp.Status, body)
		}
	}
	if resp, body := do(t, http.MethodGet, c.base+"/tags/list", nil, nil); resp.StatusCode == http.StatusOK && len(c.tags("")) > 0 {
		t.Errorf("tags: %s", body)
	}
	c.push("v1", m)
	c.has("v1", m)
	if got := c.tags(""); !slices.Equal(got, []string{"v1"}) {
		t.Errorf("tags %v", got)
	}
}
