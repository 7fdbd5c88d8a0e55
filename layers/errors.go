package layers

import (
	"errors"
	"fmt"

	"github.com/distribution/distribution/v3"
	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/blobstore"
)

var (
	// ErrLayerUploadUnknown is returned for an UUID that names no upload, or one that has ended.
	ErrLayerUploadUnknown = errors.New("layer upload unknown")
	// ErrLayerClosed is returned by a Layer or LayerUpload that was closed, finished or cancelled.
	ErrLayerClosed = errors.New("layer closed")
)

// FSLayer is a layer as manifests of then named it.
type FSLayer struct {
	BlobSum digest.Digest
}

// ErrUnknownLayer is returned for a layer that the repository does not have. It matches
// distribution.ErrBlobUnknown.
type ErrUnknownLayer struct{ FSLayer FSLayer }

func (e ErrUnknownLayer) Error() string {
	return fmt.Sprintf("layer %s is unknown to the repository", e.FSLayer.BlobSum)
}

// Unwrap returns distribution.ErrBlobUnknown.
func (e ErrUnknownLayer) Unwrap() error { return distribution.ErrBlobUnknown }

// ErrLayerInvalidDigest is returned by Finish for content that does not have the digest, and for
// a digest that is none or whose algorithm is not supported.
type ErrLayerInvalidDigest struct {
	Digest digest.Digest
	Reason error
}

func (e ErrLayerInvalidDigest) Error() string {
	return fmt.Sprintf("layer does not have digest %s: %v", e.Digest, e.Reason)
}

// Unwrap returns the reason.
func (e ErrLayerInvalidDigest) Unwrap() error { return e.Reason }

// asLayerError is err of a call on the layer d as the interfaces have it.
func asLayerError(err error, d digest.Digest) error {
	var invalid distribution.ErrBlobInvalidDigest
	switch {
	case err == nil:
		return nil
	case errors.Is(err, distribution.ErrBlobUnknown):
		return ErrUnknownLayer{FSLayer{d}}
	case errors.Is(err, distribution.ErrBlobUploadUnknown):
		return ErrLayerUploadUnknown
	case errors.Is(err, blobstore.ErrUploadClosed):
		return ErrLayerClosed
	case errors.Is(err, distribution.ErrBlobDigestUnsupported):
		return ErrLayerInvalidDigest{d, err}
	case errors.As(err, &invalid):
		return ErrLayerInvalidDigest{d, invalid.Reason}
	default:
		return err
	}
}
