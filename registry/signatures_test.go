package registry_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/mem"
	"github.com/blobdock/blobdock/driver/meter"
	"github.com/blobdock/blobdock/signatures"
)

// supportsSignatures is the header by which clients learn of the extension.
const supportsSignatures = "X-Registry-Supports-Signatures"

func withSignatures(c *configuration.Configuration) { c.Storage["blobdock"]["signatures"] = true }

// signingRepo is a client of the extension for one repository.
type signingRepo struct {
	repoClient
	at string // of signatures, up to the digest
}

func signingClient(c repoClient) signingRepo {
	return signingRepo{c, strings.Replace(c.base, "/v2/", "/extensions/v2/", 1) + "/signatures/"}
}

func (s signingRepo) put(d digest.Digest, body string) (*http.Response, string) {
	s.t.Helper()
	return do(s.t, http.MethodPut, s.at+d.String(), map[string]string{"Content-Type": "application/json"}, strings.NewReader(body))
}

// want compares the names of d's signatures.
func (s signingRepo) want(d digest.Digest, names ...string) {
	s.t.Helper()
	resp, body := do(s.t, http.MethodGet, s.at+d.String(), nil, nil)
	var got struct{ Signatures []signatures.Signature }
	if err := json.Unmarshal([]byte(body), &got); err != nil || resp.StatusCode != http.StatusOK ||
		resp.Header.Get("Content-Type") != "application/json" || got.Signatures == nil || resp.Header.Get("Link") != "" {
		s.t.Fatalf("GET of signatures: %s, %s: %s", resp.Status, resp.Header, body)
	}
	var found []string
	for _, g := range got.Signatures {
		found = append(found, strings.TrimPrefix(g.Name, d.String()+"@"))
		if string(g.Content) != "signed by "+found[len(found)-1] {
			s.t.Errorf("content %q of %s", g.Content, g.Name)
		}
	}
	slices.Sort(found)
	if !slices.Equal(found, names) {
		s.t.Errorf("signatures of %s are %q, want %q", d, found, names)
	}
}

func signature(d digest.Digest, name string) string {
	p, err := json.Marshal(signatures.Signature{SchemaVersion: 2, Name: d.String() + "@" + name, Type: "atomic", Content: []byte("signed by " + name)})
	if err != nil {
		panic(err)
	}
	return string(p)
}

func TestSignatures(t *testing.T) {
	onStores(t, func(t *testing.T, b driver.Bucket) {
		srv := serveConfigured(t, b, withSignatures)
		resp, _ := do(t, http.MethodGet, srv.URL+"/v2/", nil, nil)
		if got := resp.Header.Get(supportsSignatures); got != "1" {
			t.Errorf("%s: %q, want 1", supportsSignatures, got)
		}
		s := signingClient(clientOf(t, srv, "some/signatures/repo"))
		m, other := s.image(digest.SHA256, nil), s.image(digest.SHA512, nil)
		d := m.desc.Digest
		s.want(d) // of what is not there
		if resp, body := s.put(d, signature(d, "early")); resp.StatusCode != http.StatusNotFound || !strings.Contains(body, "MANIFEST_UNKNOWN") {
			t.Errorf("PUT before the manifest: %s: %s", resp.Status, body)
		}
		s.push("v1", m)
		s.push(other.desc.Digest.String(), other)
		s.want(d)
		for _, tt := range []struct {
			d    digest.Digest
			name string
		}{{d, "a"}, {d, "b"}, {other.desc.Digest, "a"}, {d, "b"}} {
			resp, body := s.put(tt.d, signature(tt.d, tt.name))
			if resp.StatusCode != http.StatusCreated || body != "" || resp.Header.Get("Location") != "" {
				t.Fatalf("PUT: %s, %s: %s", resp.Status, resp.Header, body)
			}
		}
		s.want(d, "a", "b")
		s.want(other.desc.Digest, "a")
		changed := strings.Replace(signature(d, "a"), `"content":"`, `"content":"AAAA`, 1)
		if resp, body := s.put(d, changed); resp.StatusCode != http.StatusConflict || !strings.Contains(body, "SIGNATURE_EXISTS") {
			t.Errorf("PUT of another of the same name: %s: %s", resp.Status, body)
		}
		if got := len(s.referrers(d, signatures.ReferrerType)); got != 2 {
			t.Errorf("%d referrers are signatures, want 2", got)
		}
		s.want(d, "a", "b")
	})
}

// TestSignaturesRefused leaves nothing behind.
func TestSignaturesRefused(t *testing.T) {
	b := mem.New()
	s := signingClient(clientOf(t, serveConfigured(t, b, withSignatures), "a"))
	m := s.image(digest.SHA256, nil)
	s.push("v1", m)
	d := m.desc.Digest
	before := all(t, b)
	edit := func(from, to string) string { return strings.Replace(signature(d, "x"), from, to, 1) }
	for name, tt := range map[string]struct {
		body   string
		status int
		want   string
	}{
		"nothing":        {"", 400, "want a JSON object"},
		"no JSON":        {"signed", 400, "want a JSON object"},
		"a list":         {"[]", 400, "want a JSON object"},
		"two objects":    {signature(d, "x") + signature(d, "y"), 400, "want a JSON object"},
		"another schema": {edit(`"schemaVersion":2`, `"schemaVersion":3`), 400, "schemaVersion 3, want 2"},
		"another type":   {edit(`atomic`, `other`), 400, `type \"other\", want atomic`},
		"of another":     {signature(digest.FromString("another"), "x"), 400, "name: want the manifest's digest"},
		"no name":        {edit("@x", "@"), 400, "name: want the manifest's digest"},
		"a long name":    {signature(d, strings.Repeat("x", 256)), 400, "at most 255 characters"},
		"no content":     {edit(`"content":"`, `"content":"","other":"`), 400, "content is missing"},
		"no base64":      {edit(`"content":"`, `"content":"%`), 400, "invalid signature"},
		"too large":      {signature(d, "x") + strings.Repeat(" ", signatures.MaxSize), 400, "want at most"},
	} {
		if resp, body := s.put(d, tt.body); resp.StatusCode != tt.status || !strings.Contains(body, tt.want) || !strings.Contains(body, "SIGNATURE_INVALID") {
			t.Errorf("%s: %s: %s, want %q", name, resp.Status, body, tt.want)
		}
	}
	for name, tt := range map[string]struct {
		method, at string
		status     int
		want       string
	}{
		"no digest":          {http.MethodGet, s.at + "v1", 400, "DIGEST_INVALID"},
		"DELETE":             {http.MethodDelete, s.at + d.String(), 405, "UNSUPPORTED"},
		"POST":               {http.MethodPost, s.at + d.String(), 405, "UNSUPPORTED"},
		"an invalid name":    {http.MethodGet, strings.Replace(s.at, "/a/", "/A/", 1) + d.String(), 400, "NAME_INVALID"},
		"more than a digest": {http.MethodGet, s.at + d.String() + "/more", 404, ""},
	} {
		if resp, body := do(t, tt.method, tt.at, nil, strings.NewReader(signature(d, "x"))); resp.StatusCode != tt.status || !strings.Contains(body, tt.want) {
			t.Errorf("%s: %s: %s, want %d %s", name, resp.Status, body, tt.status, tt.want)
		}
	}
	if after := all(t, b); !slices.Equal(after, before) {
		t.Errorf("objects are %q, want them as they were, %q", after, before)
	}
	s.want(d)
}

// TestSignaturesOff is a registry as it is without the option, and without the middleware.
func TestSignaturesOff(t *testing.T) {
	for name, change := range map[string]func(*configuration.Configuration){
		"by default":             func(*configuration.Configuration) {},
		"without the middleware": func(c *configuration.Configuration) { withSignatures(c); c.Middleware = nil },
	} {
		t.Run(name, func(t *testing.T) {
			srv := serveConfigured(t, mem.New(), change)
			if resp, _ := do(t, http.MethodGet, srv.URL+"/v2/", nil, nil); resp.Header.Get(supportsSignatures) != "" || resp.StatusCode != http.StatusOK {
				t.Errorf("/v2/: %s, %s", resp.Status, resp.Header)
			}
			if resp, body := do(t, http.MethodGet, srv.URL+"/extensions/v2/a/signatures/"+digest.FromString("a").String(), nil, nil); resp.StatusCode != http.StatusNotFound {
				t.Errorf("GET of signatures: %s: %s", resp.Status, body)
			}
		})
	}
}

// TestSignaturesAuthorization needs what a pull needs, or a push.
func TestSignaturesAuthorization(t *testing.T) {
	b := mem.New()
	c := clientOf(t, serve(t, b), "a")
	m := c.image(digest.SHA256, nil)
	c.push("v1", m)
	d := m.desc.Digest
	var calls meter.Counter
	srv := serveConfigured(t, meter.Wrap(b, calls.Observe), func(c *configuration.Configuration) {
		withSignatures(c)
		c.Auth = configuration.Auth{"silly": {"realm": "https://auth.example.com", "service": "test"}}
	})
	at := fmt.Sprintf("%s/extensions/v2/a/signatures/%s", srv.URL, d)
	calls.Reset()
	if resp, _ := do(t, http.MethodGet, srv.URL+"/v2/", nil, nil); resp.StatusCode != http.StatusUnauthorized || resp.Header.Get(supportsSignatures) != "1" {
		t.Errorf("/v2/: %s, %s", resp.Status, resp.Header)
	}
	for method, actions := range map[string]string{http.MethodGet: "pull", http.MethodPut: `pull repository:a:push`} {
		resp, body := do(t, method, at, nil, strings.NewReader(signature(d, "x")))
		if scope := resp.Header.Get("WWW-Authenticate"); resp.StatusCode != http.StatusUnauthorized || !strings.Contains(scope, `scope="repository:a:`+actions) {
			t.Errorf("%s: %s, WWW-Authenticate %q, want %s: %s", method, resp.Status, scope, actions, body)
		}
	}
	if n := calls.Total().Calls; n > 0 {
		t.Errorf("the store was asked without a token:\n%s", &calls)
	}
	token := map[string]string{"Authorization": "seriously, anything"}
	if resp, body := do(t, http.MethodPut, at, token, bytes.NewReader([]byte(signature(d, "x")))); resp.StatusCode != http.StatusCreated {
		t.Errorf("PUT with a token: %s: %s", resp.Status, body)
	}
	if resp, body := do(t, http.MethodGet, at, token, nil); resp.StatusCode != http.StatusOK || !strings.Contains(body, "@x") {
		t.Errorf("GET with a token: %s: %s", resp.Status, body)
	}
}
