package signatures

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/distribution/distribution/v3"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/manifests"
)

// What cosign calls its annotations and its payload.
// https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md
const (
	CosignSignatureKey = "dev.cosignproject.cosign/signature" // the signature of the payload, in base64
	CosignMediaType    = "application/vnd.dev.cosign.simplesigning.v1+json"
)

// CosignSignature is a signature of cosign in one piece, as [Cosign] takes and returns it, in JSON.
// containers/image writes these fields to directories.
type CosignSignature struct {
	MIMEType    string            `json:"mimeType"`    // CosignMediaType
	Payload     []byte            `json:"payload"`     // JSON that names the digest that is signed; base64 here
	Annotations map[string]string `json:"annotations"` // CosignSignatureKey at least
}

// Cosign keeps signatures where cosign 2 does: each is a layer, with annotations, of one manifest
// under the tag sha256-<hex>.sig. It is another's format, with its limit: two that sign the same
// manifest at the same moment may lose one of the signatures; Put looks whether its own are there,
// and adds them again.
func Cosign(r *manifests.Repository) Service { return &cosign{r} }

type cosign struct{ manifests *manifests.Repository }

func parseCosign(p []byte) (s CosignSignature, err error) {
	if err := object(p, &s); err != nil {
		return s, err
	}
	switch {
	case s.MIMEType != CosignMediaType:
		return s, fmt.Errorf("%w: mimeType %q, want %s", ErrInvalid, s.MIMEType, CosignMediaType)
	case s.Annotations[CosignSignatureKey] == "":
		return s, fmt.Errorf("%w: annotations: %s is missing", ErrInvalid, CosignSignatureKey)
	}
	if err := object(s.Payload, new(map[string]any)); err != nil {
		return s, fmt.Errorf("payload: %w", err)
	}
	return s, nil
}

// tag is where cosign keeps the signatures of d.
func tag(d digest.Digest) string { return d.Algorithm().String() + "-" + d.Encoded() + ".sig" }

// layers is what is signed of d, nil when there is nothing.
func (s *cosign) layers(ctx context.Context, d digest.Digest) ([]v1.Descriptor, error) {
	if err := d.Validate(); err != nil {
		return nil, fmt.Errorf("signatures of %q: %w", d, err)
	}
	m, err := s.manifests.Resolve(ctx, tag(d))
	if errors.As(err, new(distribution.ErrTagUnknown)) || errors.As(err, new(distribution.ErrManifestUnknownRevision)) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("signatures of %s: %w", d, err)
	}
	return slices.DeleteFunc(m.References(), func(l v1.Descriptor) bool {
		return l.MediaType != CosignMediaType || l.Annotations[CosignSignatureKey] == ""
	}), nil
}

func (s *cosign) Get(ctx context.Context, d digest.Digest) (found [][]byte, err error) {
	all, err := s.layers(ctx, d)
	if err != nil {
		return nil, err
	}
	for _, layer := range all {
		payload, err := readBlob(ctx, s.manifests.Blobs(), layer, MaxSize)
		if err != nil {
			return nil, fmt.Errorf("signature of %s: %w", d, err)
		}
		p, err := json.Marshal(CosignSignature{layer.MediaType, payload, layer.Annotations})
		if err != nil {
			return nil, err
		}
		found = append(found, p)
	}
	return found, nil
}

func (s *cosign) Put(ctx context.Context, d digest.Digest, signatures ...[]byte) error {
	parsed := make([]CosignSignature, 0, len(signatures))
	err := checkAll(signatures, func(p []byte) error {
		s, err := parseCosign(p)
		parsed = append(parsed, s)
		return err
	})
	if err != nil {
		return err
	}
	if _, err := s.manifests.Read(ctx, d); err != nil {
		return err
	}
	added := make([]v1.Descriptor, len(parsed))
	for i, p := range parsed {
		desc, err := s.manifests.Blobs().Put(ctx, CosignMediaType, p.Payload)
		if err != nil {
			return err
		}
		added[i] = plain(desc)
		added[i].Annotations = p.Annotations
	}
	for round := 0; ; round++ {
		layers, err := s.layers(ctx, d)
		if err != nil {
			return err
		}
		missing := slices.DeleteFunc(slices.Clone(added), func(l v1.Descriptor) bool { return slices.ContainsFunc(layers, same(l)) })
		switch {
		case len(missing) == 0:
			return nil
		case round == rounds:
			return fmt.Errorf("signatures of %s: others replace them all the time: %w", d, driver.Unavailable)
		}
		if err := s.write(ctx, d, append(layers, missing...)); err != nil {
			return err
		}
	}
}

// same compares signatures.
func same(a v1.Descriptor) func(v1.Descriptor) bool {
	return func(b v1.Descriptor) bool {
		return a.Digest == b.Digest && a.Annotations[CosignSignatureKey] == b.Annotations[CosignSignatureKey]
	}
}

// write puts the manifest with these signatures under d's tag.
func (s *cosign) write(ctx context.Context, d digest.Digest, layers []v1.Descriptor) error {
	image := v1.Image{RootFS: v1.RootFS{Type: "layers"}}
	for _, l := range layers {
		image.RootFS.DiffIDs = append(image.RootFS.DiffIDs, l.Digest)
		image.History = append(image.History, v1.History{})
	}
	p, err := json.Marshal(image)
	if err != nil {
		return err
	}
	config, err := s.manifests.Blobs().Put(ctx, v1.MediaTypeImageConfig, p)
	if err != nil {
		return err
	}
	return push(ctx, s.manifests, v1.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: v1.MediaTypeImageManifest, Config: plain(config), Layers: layers,
	}, tag(d))
}
