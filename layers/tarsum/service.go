package tarsum

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"

	"github.com/distribution/distribution/v3"
	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/friend"
	"github.com/blobdock/blobdock/internal/layout"
)

// Service implements LayerService on a store. It is safe for concurrent use.
type Service struct {
	ctx    context.Context //nolint:containedctx // LayerService's methods take none
	store  *blobstore.Store
	friend friend.Store
}

var _ LayerService = (*Service)(nil)

// New makes the service of s. ctx is that of all its calls, and of the layers and uploads that it
// returns.
func New(ctx context.Context, s *blobstore.Store) *Service {
	return &Service{ctx: ctx, store: s, friend: friend.Of(s)}
}

// named is a tarsum of one repository.
type named struct {
	*Service
	sum
	name       string
	repository *blobstore.Repository
}

func (s *Service) named(name, tarSum string) (*named, error) {
	t, err := parse(tarSum)
	if err != nil {
		return nil, err
	}
	ref, err := reference.WithName(name)
	if err != nil {
		return nil, fmt.Errorf("repository %q: %w: %w", name, driver.Invalid, err)
	}
	return &named{Service: s, sum: t, name: ref.Name(), repository: s.store.Repository(ref)}, nil
}

// Exists implements LayerService.
func (s *Service) Exists(name, tarSum string) (bool, error) {
	n, err := s.named(name, tarSum)
	if err != nil {
		return false, err
	}
	_, err = n.lookup()
	if errors.Is(err, ErrLayerUnknown) {
		return false, nil
	}
	return err == nil, err
}

// Fetch implements LayerService.
func (s *Service) Fetch(name, tarSum string) (Layer, error) {
	n, err := s.named(name, tarSum)
	if err != nil {
		return nil, err
	}
	return n.fetch()
}

// Upload implements LayerService.
func (s *Service) Upload(name, tarSum string) (LayerUpload, error) {
	n, err := s.named(name, tarSum)
	if err != nil {
		return nil, err
	}
	switch _, err := n.lookup(); {
	case err == nil:
		return nil, ErrLayerExists
	case !errors.Is(err, ErrLayerUnknown):
		return nil, err
	}
	w, err := n.repository.CreateWriter(s.ctx)
	if err != nil {
		return nil, asLayerError(err)
	}
	return n.upload(w), nil
}

// Resume implements LayerService.
func (s *Service) Resume(name, tarSum, uuid string) (LayerUpload, error) {
	n, err := s.named(name, tarSum)
	if err != nil {
		return nil, err
	}
	w, err := n.repository.ResumeWriter(s.ctx, uuid)
	if err != nil {
		return nil, asLayerError(err)
	}
	if _, err := w.Seek(0, io.SeekEnd); err != nil {
		return nil, asLayerError(errors.Join(err, w.Close()))
	}
	return n.upload(w), nil
}

// link is the key that says which blob has the tarsum.
func (n *named) link() string {
	return n.friend.Layout().TarSumLink(n.name, path.Join(n.folder, hashName, n.hex))
}

// lookup finds the blob that has the tarsum.
func (n *named) lookup() (*blobstore.Blob, error) {
	rd, err := n.store.Bucket().Open(n.ctx, n.link(), driver.Range{}, driver.ReadOptions{})
	if errors.Is(err, driver.NotFound) {
		return nil, ErrLayerUnknown
	}
	if err != nil {
		return nil, fmt.Errorf("link: %w", err)
	}
	defer rd.Close()
	p, err := io.ReadAll(io.LimitReader(rd, layout.MaxLink))
	if err != nil {
		return nil, fmt.Errorf("link %q: %w", n.link(), err)
	}
	d := digest.Digest(p)
	if err := d.Validate(); err != nil {
		return nil, fmt.Errorf("link %q: %w: %w", n.link(), driver.Corrupt, err)
	}
	b, err := n.repository.Lookup(n.ctx, d)
	return b, asLayerError(err)
}

func (n *named) fetch() (Layer, error) {
	b, err := n.lookup()
	if err != nil {
		return nil, err
	}
	return &layer{ReadSeekCloser: b.Open(n.ctx), named: n, blob: b}, nil
}

// asLayerError is err as the interfaces have it.
func asLayerError(err error) error {
	switch {
	case errors.Is(err, distribution.ErrBlobUnknown):
		return ErrLayerUnknown
	case errors.Is(err, distribution.ErrBlobUploadUnknown):
		return ErrLayerUploadUnknown
	case errors.Is(err, blobstore.ErrUploadClosed):
		return ErrLayerClosed
	case errors.Is(err, distribution.ErrBlobInvalidLength):
		return ErrLayerInvalidLength
	case errors.Is(err, distribution.ErrBlobDigestUnsupported), errors.As(err, new(distribution.ErrBlobInvalidDigest)):
		return fmt.Errorf("%w: %w", ErrLayerInvalidChecksum, err)
	default:
		return err
	}
}
