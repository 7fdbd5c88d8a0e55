package registry_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/mem"
)

// The conformance tests ask what the suite of the OCI distribution specification asks of
// manifests, tags and referrers, group by group.
// https://github.com/opencontainers/distribution-spec/tree/main/conformance

// onStores runs test on imitations of the stores.
func onStores(t *testing.T, test func(t *testing.T, b driver.Bucket)) {
	imitations := mem.Imitations()
	for _, name := range slices.Sorted(maps.Keys(imitations)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := imitations[name]
			o.KeyInterval /= 50 // a store that refuses quick writes to a key, and tests that do not wait
			test(t, mem.NewWith(o))
		})
	}
}

// serveConfigured is serve with a changed configuration.
func serveConfigured(t testing.TB, b driver.Bucket, change func(*configuration.Configuration)) *httptest.Server {
	t.Helper()
	srv := httptest.NewServer(configured(t, b, "", change))
	t.Cleanup(srv.Close)
	return srv
}

// repoClient is a client of one repository.
type repoClient struct {
	t    testing.TB
	base string // up to the repository's name
}

func clientOf(t testing.TB, srv *httptest.Server, repo string) repoClient {
	return repoClient{t, srv.URL + "/v2/" + repo}
}

// get reads a manifest, by any type that it may have.
func (c repoClient) get(ref string) (*http.Response, string) {
	c.t.Helper()
	return do(c.t, http.MethodGet, c.base+"/manifests/"+ref, acceptAll, nil)
}

var acceptAll = map[string]string{"Accept": strings.Join([]string{
	v1.MediaTypeImageManifest, v1.MediaTypeImageIndex,
	"application/vnd.docker.distribution.manifest.v2+json", "application/vnd.docker.distribution.manifest.list.v2+json",
	"*/*",
}, ", ")}

// put sends a manifest.
func (c repoClient) put(ref string, m pushed) (*http.Response, string) {
	c.t.Helper()
	return do(c.t, http.MethodPut, c.base+"/manifests/"+ref, map[string]string{"Content-Type": m.desc.MediaType}, bytes.NewReader(m.content))
}

// push is put that succeeds, and a look at the answer.
func (c repoClient) push(ref string, m pushed) *http.Response {
	c.t.Helper()
	resp, body := c.put(ref, m)
	if resp.StatusCode != http.StatusCreated {
		c.t.Fatalf("PUT %s: %s: %s", ref, resp.Status, body)
	}
	if got := resp.Header.Get("Docker-Content-Digest"); got != m.desc.Digest.String() {
		c.t.Errorf("PUT %s answers digest %s, want %s", ref, got, m.desc.Digest)
	}
	if want := "/manifests/" + m.desc.Digest.String(); !strings.HasSuffix(resp.Header.Get("Location"), want) {
		c.t.Errorf("PUT %s answers Location %s, want one that ends in %s", ref, resp.Header.Get("Location"), want)
	}
	if got := resp.Header.Get("OCI-Subject"); got != m.subject.String() {
		c.t.Errorf("PUT %s answers OCI-Subject %q, want %q", ref, got, m.subject)
	}
	return resp
}

// has compares what GET and HEAD answer with m.
func (c repoClient) has(ref string, m pushed) {
	c.t.Helper()
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		resp, body := do(c.t, method, c.base+"/manifests/"+ref, acceptAll, nil)
		h := resp.Header
		if resp.StatusCode != http.StatusOK || method == http.MethodGet && body != string(m.content) {
			c.t.Errorf("%s %s: %s: %s", method, ref, resp.Status, body)
			continue
		}
		if h.Get("Content-Type") != m.desc.MediaType || h.Get("Docker-Content-Digest") != m.desc.Digest.String() || h.Get("Content-Length") != fmt.Sprint(len(m.content)) {
			c.t.Errorf("%s %s answers %v, want type %s, digest %s, %d bytes", method, ref, h, m.desc.MediaType, m.desc.Digest, len(m.content))
		}
	}
}

// lacks expects the answers to what is not there.
func (c repoClient) lacks(ref string) {
	c.t.Helper()
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		resp, body := do(c.t, method, c.base+"/manifests/"+ref, acceptAll, nil)
		if resp.StatusCode != http.StatusNotFound || method == http.MethodGet && !strings.Contains(body, "MANIFEST_UNKNOWN") {
			c.t.Errorf("%s %s: %s: %s, want 404 MANIFEST_UNKNOWN", method, ref, resp.Status, body)
		}
	}
}

// remove deletes a manifest or tag.
func (c repoClient) remove(ref string) {
	c.t.Helper()
	if resp, body := do(c.t, http.MethodDelete, c.base+"/manifests/"+ref, nil, nil); resp.StatusCode != http.StatusAccepted {
		c.t.Errorf("DELETE %s: %s: %s", ref, resp.Status, body)
	}
}

// blob pushes a blob and describes it.
func (c repoClient) blob(mediaType string, a digest.Algorithm, p []byte) v1.Descriptor {
	c.t.Helper()
	d := v1.Descriptor{MediaType: mediaType, Digest: a.FromBytes(p), Size: int64(len(p))}
	resp, body := do(c.t, http.MethodPost, c.base+"/blobs/uploads/", nil, nil)
	if resp.StatusCode != http.StatusAccepted {
		c.t.Fatalf("POST: %s: %s", resp.Status, body)
	}
	at, err := resp.Request.URL.Parse(resp.Header.Get("Location"))
	if err != nil {
		c.t.Fatal(err)
	}
	if resp, body := do(c.t, http.MethodPut, withDigest(at.String(), d.Digest), nil, bytes.NewReader(p)); resp.StatusCode != http.StatusCreated {
		c.t.Fatalf("PUT of a blob: %s: %s", resp.Status, body)
	}
	return d
}

// pushed is a manifest as a client sends it.
type pushed struct {
	desc    v1.Descriptor
	subject digest.Digest
	content []byte
}

// manifestOf writes m, whose type is mediaType.
func manifestOf(t testing.TB, mediaType string, a digest.Algorithm, m any) pushed {
	t.Helper()
	p, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	var has struct {
		ArtifactType string
		Config       v1.Descriptor
		Annotations  map[string]string
		Subject      v1.Descriptor
	}
	if err := json.Unmarshal(p, &has); err != nil {
		t.Fatal(err)
	}
	if has.ArtifactType == "" {
		has.ArtifactType = has.Config.MediaType
	}
	return pushed{v1.Descriptor{
		MediaType: mediaType, Digest: a.FromBytes(p), Size: int64(len(p)),
		ArtifactType: has.ArtifactType, Annotations: has.Annotations,
	}, has.Subject.Digest, p}
}

// image pushes the blobs of an image, and is its manifest, after change.
func (c repoClient) image(a digest.Algorithm, change func(*v1.Manifest)) pushed {
	c.t.Helper()
	text := fmt.Sprint(rand.Uint64())
	m := v1.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: v1.MediaTypeImageManifest,
		Config: c.blob(v1.MediaTypeImageConfig, a, []byte(`{"architecture":"amd64","os":"linux","created":"`+text+`"}`)),
		Layers: []v1.Descriptor{c.blob(v1.MediaTypeImageLayerGzip, a, []byte("layer "+text))},
	}
	if change != nil {
		change(&m)
	}
	return manifestOf(c.t, v1.MediaTypeImageManifest, a, m)
}

// artifact is an image with an empty config that has a type and a subject.
func (c repoClient) artifact(artifactType string, subject *v1.Descriptor) pushed {
	c.t.Helper()
	return c.image(digest.SHA256, func(m *v1.Manifest) {
		m.ArtifactType, m.Config, m.Subject = artifactType, c.blob(v1.MediaTypeEmptyJSON, digest.SHA256, []byte("{}")), subject
		m.Annotations = map[string]string{"org.example.number": fmt.Sprint(rand.Uint64())}
	})
}

// index is an index of manifests, after change.
func index(t testing.TB, a digest.Algorithm, change func(*v1.Index), of ...pushed) pushed {
	t.Helper()
	m := v1.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: v1.MediaTypeImageIndex, Manifests: []v1.Descriptor{}}
	for _, p := range of {
		d := p.desc
		d.Annotations, d.ArtifactType = nil, ""
		d.Platform = &v1.Platform{OS: "linux", Architecture: "amd64"}
		m.Manifests = append(m.Manifests, d)
	}
	if change != nil {
		change(&m)
	}
	return manifestOf(t, v1.MediaTypeImageIndex, a, m)
}
