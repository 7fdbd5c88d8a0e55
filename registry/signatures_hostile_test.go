package registry_test

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/blobdock/blobdock/driver/mem"
	"github.com/blobdock/blobdock/signatures"
)

// TestSignaturesReadOnly refuses what would write.
func TestSignaturesReadOnly(t *testing.T) {
	b := mem.New()
	s := signingClient(clientOf(t, serveConfigured(t, b, withSignatures), "a"))
	m := s.image(digest.SHA256, nil)
	s.push("v1", m)
	d := m.desc.Digest
	if resp, body := s.put(d, signature(d, "x")); resp.StatusCode != http.StatusCreated {
		t.Fatalf("PUT: %s: %s", resp.Status, body)
	}
	before := all(t, b)
	s = signingClient(clientOf(t, serveConfigured(t, b, func(c *configuration.Configuration) {
		withSignatures(c)
		c.Storage["maintenance"]["readonly"] = map[any]any{"enabled": true}
	}), "a"))
	if resp, body := s.put(d, signature(d, "y")); resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("PUT: %s: %s", resp.Status, body)
	}
	s.want(d, "x")
	if after := all(t, b); !slices.Equal(after, before) {
		t.Errorf("objects are %q, want %q", after, before)
	}
}

// TestSignaturesAmongOthers has referrers of the signatures' type that are none: a layer that is
// larger than any signature, one that is gone, and one that is no signature.
func TestSignaturesAmongOthers(t *testing.T) {
	b := mem.New()
	s := signingClient(clientOf(t, serveConfigured(t, b, withSignatures), "a"))
	m := s.image(digest.SHA256, nil)
	s.push("v1", m)
	d := m.desc.Digest
	if resp, body := s.put(d, signature(d, "x")); resp.StatusCode != http.StatusCreated {
		t.Fatalf("PUT: %s: %s", resp.Status, body)
	}
	push := func(layer v1.Descriptor) {
		t.Helper()
		a := s.image(digest.SHA256, func(a *v1.Manifest) {
			a.ArtifactType, a.Subject, a.Layers = signatures.ReferrerType, &m.desc, []v1.Descriptor{layer}
		})
		s.push(a.desc.Digest.String(), a)
	}
	push(s.blob(signatures.MediaType, digest.SHA256, make([]byte, signatures.MaxSize+1)))
	gone := s.blob(signatures.MediaType, digest.SHA256, []byte(signature(d, "gone")))
	push(gone)
	push(s.blob(signatures.MediaType, digest.SHA256, []byte("no signature")))
	if resp, body := do(t, http.MethodDelete, s.base+"/blobs/"+gone.Digest.String(), nil, nil); resp.StatusCode != http.StatusAccepted {
		t.Fatalf("DELETE: %s: %s", resp.Status, body)
	}
	s.want(d, "x")
	if resp, body := s.put(d, signature(d, "y")); resp.StatusCode != http.StatusCreated {
		t.Errorf("PUT: %s: %s", resp.Status, body)
	}
	s.want(d, "x", "y")
}

// TestSignaturesBelowAPrefix has the extension below the prefix of the API.
func TestSignaturesBelowAPrefix(t *testing.T) {
	srv := serveConfigured(t, mem.New(), func(c *configuration.Configuration) {
		withSignatures(c)
		c.HTTP.Prefix, c.HTTP.RelativeURLs = "/registry/", true
	})
	if resp, _ := do(t, http.MethodGet, srv.URL+"/registry/v2/", nil, nil); resp.Header.Get(supportsSignatures) != "1" {
		t.Errorf("/v2/: %s, %s", resp.Status, resp.Header)
	}
	s := signingClient(repoClient{t, srv.URL + "/registry/v2/blobs/uploads/signatures/tags"})
	m := s.image(digest.SHA256, nil)
	s.push("v1", m)
	d := m.desc.Digest
	resp, body := do(t, http.MethodPut, s.at+d.String()+"?mount="+d.String()+"&from=b&digest="+d.String()+"&n=0&last=x", map[string]string{"Content-Type": "application/x-www-form-urlencoded"},
		struct{ io.Reader }{strings.NewReader(signature(d, "x"))}) // of unknown length
	if resp.StatusCode != http.StatusCreated || body != "" {
		t.Fatalf("PUT: %s: %s", resp.Status, body)
	}
	s.want(d, "x")
	resp, body = do(t, http.MethodGet, s.at+d.String()+"?n=0&last=zzz", nil, nil)
	if resp.StatusCode != http.StatusOK || !strings.Contains(body, "@x") {
		t.Errorf("GET with a query: %s: %s", resp.Status, body)
	}
	length := resp.ContentLength
	if resp, body := do(t, http.MethodHead, s.at+d.String(), nil, nil); resp.StatusCode != http.StatusOK || body != "" || resp.ContentLength != length || resp.Header.Get("Content-Type") != "application/json" {
		t.Errorf("HEAD: %s, %s, want %d bytes: %q", resp.Status, resp.Header, length, body)
	}
	if resp, _ := do(t, http.MethodGet, srv.URL+"/extensions/v2/blobs/uploads/signatures/tags/signatures/"+d.String(), nil, nil); resp.StatusCode != http.StatusNotFound {
		t.Errorf("outside of the prefix: %s", resp.Status)
	}
	for _, name := range []string{"../b", "b/../c", "b//c", "b/%2e%2e/c", "_catalog", "", "b/", "%2e"} {
		resp, body := do(t, http.MethodPut, srv.URL+"/registry/extensions/v2/"+name+"/signatures/"+d.String(), nil, strings.NewReader(signature(d, "x")))
		if resp.StatusCode < 300 {
			t.Errorf("name %q: %s: %s", name, resp.Status, body)
		}
	}
}
