package layers

import (
	"context"
	"errors"

	"github.com/distribution/distribution/v3"
	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/blobstore"
)

// Service implements LayerService on one repository of a store. It is safe for concurrent use.
type Service struct {
	ctx        context.Context //nolint:containedctx // LayerService's methods take none
	store      *blobstore.Store
	name       string
	repository *blobstore.Repository
}

var _ LayerService = (*Service)(nil)

// New makes the service of the repository. ctx is that of all its calls, and of the layers and
// uploads that it returns.
func New(ctx context.Context, s *blobstore.Store, name reference.Named) *Service {
	return &Service{ctx: ctx, store: s, name: name.Name(), repository: s.Repository(name)}
}

// Exists implements LayerService.
func (s *Service) Exists(d digest.Digest) (bool, error) {
	_, err := s.repository.Lookup(s.ctx, d)
	if errors.Is(err, distribution.ErrBlobUnknown) {
		return false, nil
	}
	return err == nil, err
}

// Fetch implements LayerService.
func (s *Service) Fetch(d digest.Digest) (Layer, error) {
	b, err := s.repository.Lookup(s.ctx, d)
	if err != nil {
		return nil, asLayerError(err, d)
	}
	return &layer{ReadSeekCloser: b.Open(s.ctx), service: s, digest: d, blob: b}, nil
}

// Upload implements LayerService.
func (s *Service) Upload() (LayerUpload, error) {
	w, err := s.repository.CreateWriter(s.ctx)
	return s.upload(w, err)
}

// Resume implements LayerService.
func (s *Service) Resume(uuid string) (LayerUpload, error) {
	w, err := s.repository.ResumeWriter(s.ctx, uuid)
	return s.upload(w, err)
}

func (s *Service) upload(w *blobstore.Writer, err error) (LayerUpload, error) {
	if err != nil {
		return nil, asLayerError(err, "")
	}
	return &upload{service: s, writer: w}, nil
}
