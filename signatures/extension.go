package signatures

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/blobdock/blobdock/manifests"
)

// Signature is a signature as the HTTP extension of OpenShift's registry has it, which
// containers/image speaks, and so skopeo, podman, buildah and CRI-O.
// https://docs.openshift.com/container-platform/3.11/admin_guide/image_signatures.html
type Signature struct {
	SchemaVersion int    `json:"schemaVersion"` // 2
	Name          string `json:"name"`          // the manifest's digest, @, and what its signer has chosen
	Type          string `json:"type"`          // atomic
	Content       []byte `json:"content"`       // signed with OpenPGP, base64 in JSON
}

// NewSignature is a signature of the manifest d, named after its content: the same one is kept once.
func NewSignature(d digest.Digest, content []byte) Signature {
	return Signature{SchemaVersion, d.String() + "@" + digest.FromBytes(content).Encoded()[:32], TypeAtomic, content}
}

// What a Signature says of itself.
const (
	SchemaVersion = 2
	TypeAtomic    = "atomic"
)

// ErrExists is that the manifest has another signature of the same name.
var ErrExists = errors.New("the manifest has another signature of this name")

// Extension is the signatures of the HTTP extension, over [Referrers]. Other referrers of their
// type that are none are left out.
type Extension struct{ service Service }

// NewExtension makes the signatures of r.
func NewExtension(r *manifests.Repository) *Extension {
	return &Extension{&referrers{r, r.Blobs(), MaxExtensionSize, maxExtensionList}}
}

const (
	// MaxExtensionSize is how many bytes of JSON a Signature may have. Those of OpenPGP have about
	// a thousand.
	MaxExtensionSize = 64 << 10
	// maxExtensionList bounds what is returned of one manifest: clients read at most 4 MiB.
	maxExtensionList = 3 << 20
)

// Get returns the signatures of the manifest d: all, unless they have more than 3 MiB.
func (x *Extension) Get(ctx context.Context, d digest.Digest) ([]Signature, error) {
	all, err := x.service.Get(ctx, d)
	if err != nil {
		return nil, err
	}
	found := make([]Signature, 0, len(all))
	for _, p := range all {
		if s, err := ParseSignature(d, p); err == nil {
			found = append(found, s)
		}
	}
	return found, nil
}

// Add is Put of a signature.
func (x *Extension) Add(ctx context.Context, d digest.Digest, s Signature) error {
	p, err := json.Marshal(s)
	if err != nil {
		return err
	}
	_, err = x.Put(ctx, d, p)
	return err
}

// Put adds a signature to the manifest d. ErrInvalid for one that is none, ErrExists when there is
// another of its name; distribution.ErrManifestUnknownRevision when there is no such manifest.
// The same one may be put again. It returns the blob that has the signature, which need not have the
// bytes of p.
func (x *Extension) Put(ctx context.Context, d digest.Digest, p []byte) (v1.Descriptor, error) {
	s, err := ParseSignature(d, p)
	if err != nil {
		return v1.Descriptor{}, err
	}
	all, err := x.Get(ctx, d)
	if err != nil {
		return v1.Descriptor{}, err
	}
	for _, other := range all {
		if other.Name == s.Name && string(other.Content) != string(s.Content) {
			return v1.Descriptor{}, ErrExists
		}
	}
	if p, err = json.Marshal(s); err != nil {
		return v1.Descriptor{}, err
	}
	return v1.Descriptor{MediaType: MediaType, Digest: digest.FromBytes(p), Size: int64(len(p))}, x.service.Put(ctx, d, p)
}

// ParseSignature reads a signature of the manifest d. ErrInvalid tells what is wrong.
func ParseSignature(d digest.Digest, p []byte) (s Signature, err error) {
	if len(p) > MaxExtensionSize {
		return s, fmt.Errorf("%w: %d bytes, want at most %d", ErrInvalid, len(p), MaxExtensionSize)
	}
	if err := object(p, &s); err != nil {
		return s, err
	}
	switch chosen, ok := strings.CutPrefix(s.Name, d.String()+"@"); {
	case s.SchemaVersion != SchemaVersion:
		return s, fmt.Errorf("%w: schemaVersion %d, want %d", ErrInvalid, s.SchemaVersion, SchemaVersion)
	case s.Type != TypeAtomic:
		return s, fmt.Errorf("%w: type %q, want %s", ErrInvalid, s.Type, TypeAtomic)
	case !ok || chosen == "" || len(chosen) > 255:
		return s, fmt.Errorf("%w: name: want the manifest's digest, @, and at most 255 characters", ErrInvalid)
	case len(s.Content) == 0:
		return s, fmt.Errorf("%w: content is missing", ErrInvalid)
	}
	return s, nil
}
