package signatures

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"github.com/distribution/distribution/v3"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/manifests"
)

// ReferrerType is the artifactType of a manifest that has a signature, and MediaType is that of its
// only layer, the signature itself.
const (
	ReferrerType = "application/vnd.blobdock.signature.v1"
	MediaType    = "application/vnd.blobdock.signature.v1+json"
)

// Referrers keeps each signature, a JSON object, as the layer of an OCI manifest of its own, whose
// subject is what is signed. Two clients that sign at the same time don't meet.
func Referrers(r *manifests.Repository) Service {
	return &referrers{r, r.Blobs(), MaxSize, math.MaxInt64}
}

type referrers struct {
	manifests *manifests.Repository
	blobs     *blobstore.Repository
	// each and all bound in bytes a signature, and all of a manifest. What is beyond is left out.
	each, all int64
}

func (s *referrers) Get(ctx context.Context, d digest.Digest) (found [][]byte, err error) {
	all, err := s.manifests.AllReferrers(ctx, d, ReferrerType)
	if err != nil {
		return nil, err
	}
	left := s.all
	for _, desc := range all {
		p, err := s.read(ctx, desc.Digest, &left)
		if errors.As(err, new(distribution.ErrManifestUnknownRevision)) {
			continue // deleted since it was listed
		}
		if err != nil {
			return nil, err
		}
		found = append(found, p...)
	}
	return found, nil
}

// read is the signatures that a referrer has. Everybody who may push can add a referrer of this
// type: a layer that is no signature, or is gone, keeps nobody from reading the others.
func (s *referrers) read(ctx context.Context, d digest.Digest, left *int64) (found [][]byte, err error) {
	m, err := s.manifests.Read(ctx, d)
	if err != nil {
		return nil, err
	}
	for _, layer := range m.References() {
		if layer.MediaType != MediaType {
			continue
		}
		p, err := readBlob(ctx, s.blobs, layer, min(s.each, *left))
		if errors.Is(err, ErrInvalid) || errors.Is(err, distribution.ErrBlobUnknown) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("signature %s: %w", d, err)
		}
		*left -= int64(len(p))
		found = append(found, p)
	}
	return found, nil
}

// readBlob reads a blob that should have at most limit bytes.
func readBlob(ctx context.Context, blobs *blobstore.Repository, desc v1.Descriptor, limit int64) ([]byte, error) {
	if desc.Size > limit {
		return nil, fmt.Errorf("%w: %d bytes, want at most %d", ErrInvalid, desc.Size, limit)
	}
	b, err := blobs.Lookup(ctx, desc.Digest)
	if err != nil {
		return nil, err
	}
	if b.Size() > limit {
		return nil, fmt.Errorf("%w: %d bytes, want at most %d", ErrInvalid, b.Size(), limit)
	}
	return b.Get(ctx)
}

func (s *referrers) Put(ctx context.Context, d digest.Digest, signatures ...[]byte) error {
	if err := checkAll(signatures, func(p []byte) error { return object(p, new(map[string]any)) }); err != nil {
		return err
	}
	subject, err := s.manifests.Read(ctx, d)
	if err != nil || len(signatures) == 0 {
		return err
	}
	config, err := s.blobs.Put(ctx, v1.MediaTypeEmptyJSON, v1.DescriptorEmptyJSON.Data)
	if err != nil {
		return err
	}
	about := subject.Descriptor()
	for _, p := range signatures {
		layer, err := s.blobs.Put(ctx, MediaType, p)
		if err != nil {
			return err
		}
		m := v1.Manifest{
			Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: v1.MediaTypeImageManifest, ArtifactType: ReferrerType,
			Config: plain(config), Layers: []v1.Descriptor{plain(layer)}, Subject: &v1.Descriptor{MediaType: about.MediaType, Digest: about.Digest, Size: about.Size},
		}
		if err := push(ctx, s.manifests, m); err != nil {
			return err
		}
	}
	return nil
}

// plain is a descriptor as a manifest has it.
func plain(d v1.Descriptor) v1.Descriptor {
	return v1.Descriptor{MediaType: d.MediaType, Digest: d.Digest, Size: d.Size}
}

// push writes a manifest and its tags.
func push(ctx context.Context, r *manifests.Repository, m v1.Manifest, tags ...string) error {
	p, err := json.Marshal(m)
	if err != nil {
		return err
	}
	parsed, err := manifests.Parse(m.MediaType, digest.Canonical, p)
	if err != nil {
		return err
	}
	return r.Push(ctx, parsed, tags...)
}
