package registry

import (
	"context"
	"io"
	"time"

	"github.com/distribution/distribution/v3"
	"github.com/distribution/distribution/v3/configuration"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// A pull-through cache that is read-only (storage.maintenance.readonly) serves what it has, and
// hands on what the other registry has without storing it. Distribution stores it all the same.

// freeze makes n such a cache where the configuration says so. The cache evicts nothing then,
// either, and keeps no list of what to evict.
func (n *namespace) freeze(config *configuration.Configuration) {
	if n.frozen = n.cache && readOnly(config); n.frozen {
		config.Proxy.TTL = new(time.Duration) // which distribution reads after this
	}
}

// frozenBlobs stores nothing.
type frozenBlobs struct{ *blobs }

// Put implements distribution.BlobIngester.
func (frozenBlobs) Put(_ context.Context, mediaType string, p []byte) (v1.Descriptor, error) {
	return v1.Descriptor{MediaType: mediaType, Size: int64(len(p)), Digest: digest.FromBytes(p)}, nil
}

// Create implements distribution.BlobIngester.
func (frozenBlobs) Create(context.Context, ...distribution.BlobCreateOption) (distribution.BlobWriter, error) {
	return &discard{began: time.Now()}, nil
}

// discard is an upload whose bytes go nowhere.
type discard struct {
	began time.Time
	size  int64
}

var _ distribution.BlobWriter = (*discard)(nil)

func (d *discard) Write(p []byte) (int, error) {
	d.size += int64(len(p))
	return len(p), nil
}

func (d *discard) ReadFrom(r io.Reader) (int64, error) {
	n, err := io.Copy(io.Discard, r)
	d.size += n
	return n, err
}

func (d *discard) Commit(_ context.Context, desc v1.Descriptor) (v1.Descriptor, error) {
	return desc, nil
}

func (d *discard) Close() error                 { return nil }
func (d *discard) Cancel(context.Context) error { return nil }
func (d *discard) ID() string                   { return "" }
func (d *discard) Size() int64                  { return d.size }
func (d *discard) StartedAt() time.Time         { return d.began }

// frozenManifests stores nothing.
type frozenManifests struct{ *manifestService }

// Put implements distribution.ManifestService.
func (frozenManifests) Put(_ context.Context, m distribution.Manifest, _ ...distribution.ManifestServiceOption) (digest.Digest, error) {
	_, payload, err := m.Payload()
	return digest.FromBytes(payload), err
}

// frozenTags stores nothing.
type frozenTags struct{ *tagService }

// Tag implements distribution.TagService.
func (frozenTags) Tag(context.Context, string, v1.Descriptor) error { return nil }
