package manifests_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/blobdock/blobdock/manifests"
)

const (
	dockerList = "application/vnd.docker.distribution.manifest.list.v2+json"
	someDigest = `sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855`
)

// TestMediaTypes has the Content-Type, the manifest or its form tell the type.
func TestMediaTypes(t *testing.T) {
	for _, tt := range []struct{ contentType, payload, want string }{
		{v1.MediaTypeImageManifest, `{}`, v1.MediaTypeImageManifest},
		{v1.MediaTypeImageManifest + "; charset=utf-8", `{}`, v1.MediaTypeImageManifest},
		{"Application/VND.example+JSON", `{}`, "application/vnd.example+json"},
		{"", `{"mediaType":"application/vnd.example+json"}`, "application/vnd.example+json"},
		{"application/json", `{}`, "application/json"},
		{"", `{"schemaVersion":1}`, manifests.MediaTypeSchema1},
		{"", `{"manifests":[]}`, v1.MediaTypeImageIndex},
		{"", ` {"layers":[]}`, v1.MediaTypeImageManifest},
		{"", `{}`, v1.MediaTypeImageManifest},
		{dockerList, `{"manifests":[]}`, dockerList},
	} {
		m, err := manifests.Parse(tt.contentType, digest.SHA256, []byte(tt.payload))
		if err != nil {
			t.Errorf("%q, %s: %v", tt.contentType, tt.payload, err)
			continue
		}
		if got := m.Descriptor().MediaType; got != tt.want {
			t.Errorf("%q, %s: %s, want %s", tt.contentType, tt.payload, got, tt.want)
		}
	}
}

// TestNoManifests refuses what is none.
func TestNoManifests(t *testing.T) {
	deep := strings.Repeat(`[`, 20_000) + strings.Repeat(`]`, 20_000)
	for _, tt := range []struct{ contentType, payload string }{
		{"", ""},
		{"", "no JSON"},
		{"", "null"},
		{"application/vnd.example+json", " null"},
		{"", "[]"},
		{"", `"text"`},
		{"", "{}\x00"},
		{"", "\xef\xbb\xbf{}"},
		{"", "{} {}"},
		{"", `{"a":"` + "\x00" + `"}`},
		{"", `{"schemaVersion":99999999999999999999}`},
		{"", `{"layers":[{"size":1e99}]}`},
		{"", `{"layers":{}}`},
		{"", `{"a":` + deep + `}`},
		{"", `{"manifests":[],"layers":[]}`},
		{"", `{"manifests":[],"config":{}}`},
		{"application/vnd.example+json", `{"manifests":[],"Layers":[]}`},
		{"a/b/c", `{}`},
		{"application/vnd.example", `{}`},
		{"text/html", `{}`},
		{"image/svg+xml", `{}`},
		{"text/vnd.example+json", `{}`},
		{"", `{"mediaType":"text/html"}`},
		{v1.MediaTypeImageManifest, `{"mediaType":"` + v1.MediaTypeImageIndex + `"}`},
	} {
		m, err := manifests.Parse(tt.contentType, digest.SHA256, []byte(tt.payload))
		var invalid *manifests.InvalidError
		if !errors.As(err, &invalid) {
			t.Errorf("%q, %.60s: %+v, %v, want an InvalidError", tt.contentType, tt.payload, m, err)
		}
	}
}

// TestDescriptor describes manifests as lists of referrers do.
func TestDescriptor(t *testing.T) {
	for _, tt := range []struct{ payload, artifactType string }{
		{`{"artifactType":"a/a","config":{"mediaType":"c/c"}}`, "a/a"},
		{`{"config":{"mediaType":"c/c"}}`, "c/c"},
		{`{"manifests":[]}`, ""},
		{`{"config":null}`, ""},
	} {
		m, err := manifests.Parse("", digest.SHA512, []byte(tt.payload))
		if err != nil {
			t.Fatal(err)
		}
		d := m.Descriptor()
		if d.ArtifactType != tt.artifactType || d.Size != int64(len(tt.payload)) || d.Digest != digest.SHA512.FromString(tt.payload) {
			t.Errorf("%s: %+v", tt.payload, d)
		}
	}
}

// TestReferences has all that manifests of any type name, whichever of equal keys counts.
func TestReferences(t *testing.T) {
	m, err := manifests.Parse("", digest.SHA256, []byte(`{
		"config":{"digest":"`+someDigest+`"}, "layers":[{"digest":"`+someDigest+`"}], "blobs":[{"digest":"`+someDigest+`"}],
		"subject":{"digest":"sha256:x"}, "subject":{"digest":"`+someDigest+`"}}`))
	if err != nil {
		t.Fatal(err)
	}
	if got := m.References(); len(got) != 3 {
		t.Errorf("references %v", got)
	}
	if got := m.Subject(); got != someDigest {
		t.Errorf("subject %s, want the last", got)
	}
}
