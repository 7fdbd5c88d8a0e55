package signatures

import (
	"context"

	"github.com/opencontainers/go-digest"
)

// SignatureService is the interface as docker/distribution had it, of one repository.
type SignatureService interface {
	// Get returns all signatures of the manifest d.
	Get(d digest.Digest) ([][]byte, error)
	// Put adds signatures to the manifest d.
	Put(d digest.Digest, signatures ...[]byte) error
}

// Bind is s with the context of all its calls.
func Bind(ctx context.Context, s Service) SignatureService { return bound{ctx, s} }

type bound struct {
	ctx     context.Context //nolint:containedctx // SignatureService's methods take none
	service Service
}

func (b bound) Get(d digest.Digest) ([][]byte, error) { return b.service.Get(b.ctx, d) }

func (b bound) Put(d digest.Digest, signatures ...[]byte) error {
	return b.service.Put(b.ctx, d, signatures...)
}
