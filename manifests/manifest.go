package manifests

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime"
	"strings"

	"github.com/distribution/distribution/v3"
	"github.com/distribution/distribution/v3/manifest/manifestlist"
	_ "github.com/distribution/distribution/v3/manifest/ocischema" // registers itself
	"github.com/distribution/distribution/v3/manifest/schema2"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// Manifest is a manifest as it is stored, of any type. It implements distribution.Manifest.
type Manifest struct {
	descriptor v1.Descriptor
	payload    []byte
	fields     fields
}

// fields are what manifests of all types have, as far as this package looks at them.
type fields struct {
	SchemaVersion int               `json:"schemaVersion"`
	MediaType     string            `json:"mediaType"`
	ArtifactType  string            `json:"artifactType"`
	Config        *v1.Descriptor    `json:"config"`
	Layers        []v1.Descriptor   `json:"layers"`
	Blobs         []v1.Descriptor   `json:"blobs"` // of the OCI artifact manifest that release 1.1 gave up
	Manifests     []v1.Descriptor   `json:"manifests"`
	Subject       *v1.Descriptor    `json:"subject"`
	Annotations   map[string]string `json:"annotations"`
}

// Parse reads a manifest, whose digest gets the algorithm. mediaType is what its Content-Type
// says; where that is "", the manifest itself tells. An *InvalidError for what is none.
func Parse(mediaType string, algorithm digest.Algorithm, payload []byte) (*Manifest, error) {
	m := &Manifest{payload: payload}
	if err := json.Unmarshal(payload, &m.fields); err != nil {
		return nil, invalid("not a JSON object: %w", err)
	}
	if !bytes.HasPrefix(bytes.TrimLeft(payload, " \t\r\n"), []byte("{")) {
		return nil, invalid("not a JSON object, but null")
	}
	if mediaType != "" {
		var err error
		if mediaType, _, err = mime.ParseMediaType(mediaType); err != nil {
			return nil, invalid("media type: %w", err)
		}
	}
	f := m.fields
	switch {
	case mediaType != "" && f.MediaType != "" && f.MediaType != mediaType:
		return nil, invalid("mediaType is %q, and the Content-Type %q", f.MediaType, mediaType)
	case mediaType == "":
		mediaType = f.mediaType()
	}
	if !isJSON(mediaType) && mediaType != MediaTypeSchema1 {
		return nil, invalid("media type %q: want application/json, or an application type that ends in +json", mediaType)
	}
	if f.Manifests != nil && (f.Layers != nil || f.Config != nil) {
		return nil, invalid("it has manifests, and config or layers: one of both types, as its readers could differ about which")
	}
	m.descriptor = v1.Descriptor{
		MediaType: mediaType, Digest: algorithm.FromBytes(payload), Size: int64(len(payload)),
		ArtifactType: f.ArtifactType, Annotations: f.Annotations,
	}
	if m.descriptor.ArtifactType == "" && f.Config != nil {
		m.descriptor.ArtifactType = f.Config.MediaType
	}
	return m, nil
}

// mediaType is the type of a manifest of which nothing else tells it.
func (f fields) mediaType() string {
	switch {
	case f.MediaType != "":
		return f.MediaType
	case f.SchemaVersion == 1:
		return MediaTypeSchema1
	case f.Manifests != nil:
		return v1.MediaTypeImageIndex
	}
	return v1.MediaTypeImageManifest
}

// IsKnown reports whether distribution has a type of its own for manifests of a media type:
// images and lists of images, Docker's and OCI's.
func IsKnown(mediaType string) bool {
	switch mediaType {
	case schema2.MediaTypeManifest, manifestlist.MediaTypeManifestList, v1.MediaTypeImageManifest, v1.MediaTypeImageIndex:
		return true
	}
	return false
}

// isJSON reports whether a type is one of JSON. Browsers run what they are served as a type of
// theirs, such as text/html: manifests have none of these.
func isJSON(mediaType string) bool {
	return mediaType == "application/json" || strings.HasPrefix(mediaType, "application/") && strings.HasSuffix(mediaType, "+json")
}

// MediaTypeSchema1 is the type of Docker's first manifests, which are served and taken in no
// more.
const MediaTypeSchema1 = "application/vnd.docker.distribution.manifest.v1+prettyjws"

// InvalidError is of a manifest, or a tag, that no repository takes.
type InvalidError struct{ Reason error }

func (e *InvalidError) Error() string { return "invalid manifest: " + e.Reason.Error() }

func (e *InvalidError) Unwrap() error { return e.Reason }

func invalid(format string, args ...any) error {
	return &InvalidError{fmt.Errorf(format, args...)}
}

// Descriptor describes the manifest, as a list of referrers does.
func (m *Manifest) Descriptor() v1.Descriptor { return m.descriptor }

// Subject is the digest of the manifest that this one refers to, "" where it has none.
func (m *Manifest) Subject() digest.Digest {
	if m.fields.Subject == nil {
		return ""
	}
	return m.fields.Subject.Digest
}

// References implements distribution.Manifest.
func (m *Manifest) References() []v1.Descriptor {
	var all []v1.Descriptor
	if m.fields.Config != nil {
		all = append(all, *m.fields.Config)
	}
	all = append(all, m.fields.Layers...)
	all = append(all, m.fields.Blobs...)
	return append(all, m.fields.Manifests...)
}

// Payload implements distribution.Manifest.
func (m *Manifest) Payload() (mediaType string, payload []byte, err error) {
	return m.descriptor.MediaType, m.payload, nil
}

// Typed is the manifest as one of distribution's own types, which its handlers look at, or m
// where there is none.
func (m *Manifest) Typed() distribution.Manifest {
	if IsKnown(m.descriptor.MediaType) {
		if typed, _, err := distribution.UnmarshalManifest(m.descriptor.MediaType, m.payload); err == nil {
			return typed
		}
	}
	return m
}

// Of is the *Manifest of any distribution.Manifest.
func Of(m distribution.Manifest) (*Manifest, error) {
	if own, ok := m.(*Manifest); ok {
		return own, nil
	}
	mediaType, payload, err := m.Payload()
	if err != nil {
		return nil, err
	}
	return Parse(mediaType, digest.Canonical, payload)
}
