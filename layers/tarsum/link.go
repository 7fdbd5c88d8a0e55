package tarsum

import (
	"errors"
	"fmt"

	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/driver"
)

// Link has a tarsum lead to the layer d, which the repository must have. The layer is read and its
// tarsum compared: ErrLayerInvalidTarsum when it has another, ErrLayerUnknown when there is no
// such layer.
func (s *Service) Link(name, tarSum string, d digest.Digest) error {
	n, err := s.named(name, tarSum)
	if err != nil {
		return err
	}
	b, err := n.repository.Lookup(s.ctx, d)
	if err != nil {
		return asLayerError(err)
	}
	r := b.Open(s.ctx)
	defer r.Close()
	if err := n.compare(r); err != nil {
		return err
	}
	return n.put(b.Canonical())
}

// Lookup returns the digest of the layer that a tarsum leads to, and its size in bytes.
// ErrLayerUnknown when it leads nowhere.
func (s *Service) Lookup(name, tarSum string) (digest.Digest, int64, error) {
	n, err := s.named(name, tarSum)
	if err != nil {
		return "", 0, err
	}
	b, err := n.lookup()
	if err != nil {
		return "", 0, err
	}
	return b.Canonical(), b.Size(), nil
}

// Unlink has a tarsum lead nowhere. The layer stays. ErrLayerUnknown when it leads nowhere already.
func (s *Service) Unlink(name, tarSum string) error {
	n, err := s.named(name, tarSum)
	if err != nil {
		return err
	}
	if _, err := n.lookup(); err != nil {
		return err
	}
	err = s.store.Bucket().Delete(s.ctx, n.link(), driver.DeleteOptions{})
	if err != nil && !errors.Is(err, driver.NotFound) {
		return fmt.Errorf("link %q: %w", n.link(), err)
	}
	return nil
}
