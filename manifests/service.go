package manifests

import (
	"context"
	"regexp"
	"sync"
	"time"

	"github.com/distribution/distribution/v3"
	"github.com/distribution/reference"
	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/friend"
	"github.com/blobdock/blobdock/internal/layout"
)

// MaxSize is how many bytes a manifest may have, as in distribution.
const MaxSize = 4 << 20

// Options are what a registry asks of its manifests.
type Options struct {
	// Delete allows deletion. Without it Delete and Untag return
	// distribution.ErrUnsupported.
	Delete bool
	// AllowURLs and DenyURLs decide on the URLs of layers that are kept elsewhere. nil
	// AllowURLs allows all, nil DenyURLs denies none.
	AllowURLs, DenyURLs *regexp.Regexp
	// Index tells which manifests that an index names must be there. nil is all of them.
	Index func(v1.Descriptor) bool
}

// Service is the manifests of all repositories of a store. It is safe for concurrent use.
type Service struct {
	store  *blobstore.Store
	friend friend.Store
	bucket driver.Bucket
	layout layout.Layout
	kept   *lru.Cache[digest.Digest, []byte]
	found  *lru.Cache[membership, sighting]
}

const (
	// keptManifests times keptSize bytes is the most that the cache takes, 32 MiB. Most
	// manifests have a few kilobytes.
	keptManifests = 512
	keptSize      = 64 << 10

	foundManifests = 10_000
)

// membership is that a manifest belongs to a repository.
type membership struct {
	repository string
	digest     digest.Digest
}

// sighting is when a membership was seen, and what the link told.
type sighting struct {
	at        time.Time
	epoch     uint64
	target    digest.Digest
	mediaType string
	// since is when the tombstones were listed that were known then; zero where none were.
	since time.Time
}

// New makes the service of s.
func New(s *blobstore.Store) *Service {
	f := friend.Of(s)
	kept, _ := lru.New[digest.Digest, []byte](keptManifests) // fails for a size below 1 only
	found, _ := lru.New[membership, sighting](foundManifests)
	return &Service{store: s, friend: f, bucket: s.Bucket(), layout: f.Layout(), kept: kept, found: found}
}

// Repository is the manifests and tags of one repository, for one request.
func (s *Service) Repository(name reference.Named, o Options) *Repository {
	return &Repository{
		Service: s, name: name.Name(), options: o, blobs: s.store.Repository(name),
		indexed: make(map[tagged]bool), removed: make(map[digest.Digest]bool), vouched: make(map[digest.Digest]vouched),
	}
}

// Repository implements distribution.ManifestService; [Repository.Tags] are its tags. It is
// safe for concurrent use.
type Repository struct {
	*Service
	name    string
	options Options
	blobs   *blobstore.Repository

	mu sync.Mutex
	// indexed is the histories that Put has written, and Tag need not.
	indexed map[tagged]bool
	// vouched is what Put has written, and a tag may be the last reference to.
	vouched map[digest.Digest]vouched
	// removed is the manifests that Delete has untagged already.
	removed map[digest.Digest]bool
}

// Name is the repository's.
func (r *Repository) Name() string { return r.name }

// Blobs is what the repository's manifests refer to.
func (r *Repository) Blobs() *blobstore.Repository { return r.blobs }

type tagged struct {
	tag    string
	digest digest.Digest
}

var (
	_ distribution.ManifestService    = (*Repository)(nil)
	_ distribution.ManifestEnumerator = (*Repository)(nil)
)

// Exists implements distribution.ManifestService.
func (r *Repository) Exists(ctx context.Context, d digest.Digest) (bool, error) {
	_, err := r.Read(ctx, d)
	if isUnknown(err) {
		return false, nil
	}
	return err == nil, err
}

// Enumerate calls f with the digest of each manifest that the repository has, in order. A link to
// content that is gone is left out, and a damaged one an error.
func (r *Repository) Enumerate(ctx context.Context, f func(digest.Digest) error) error {
	for e, err := range driver.List(ctx, r.bucket, driver.ListRequest{Prefix: r.layout.Revisions(r.name)}) {
		if err != nil {
			return err
		}
		n, ok := r.layout.Parse(e.Key)
		if !ok || n.Kind != layout.RevisionLink {
			continue
		}
		there, err := r.Exists(ctx, n.Digest)
		if err == nil && there {
			err = f(n.Digest)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
