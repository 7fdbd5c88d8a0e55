package signatures

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/opencontainers/go-digest"
)

// Service is the signatures of the manifests of one repository.
type Service interface {
	// Get returns all signatures of the manifest d, each as it was put, in no particular order.
	// There are none of a manifest that is not there.
	Get(ctx context.Context, d digest.Digest) ([][]byte, error)

	// Put adds signatures to the manifest d. One that it has is not added again. ErrInvalid when
	// one of them has not the form of this service, and
	// distribution.ErrManifestUnknownRevision when there is no such manifest; nothing is written
	// then. After another failure some may have been written, and Put can be repeated.
	Put(ctx context.Context, d digest.Digest, signatures ...[]byte) error
}

// MaxSize is how many bytes a signature may have. Clients of containers/image read no larger ones.
const MaxSize = 4 << 20

// ErrInvalid is for what is no signature.
var ErrInvalid = errors.New("invalid signature")

// object fails unless p is one JSON object of an acceptable size, and decodes it to v.
func object(p []byte, v any) error {
	switch {
	case len(p) > MaxSize:
		return fmt.Errorf("%w: %d bytes, want at most %d", ErrInvalid, len(p), MaxSize)
	case !json.Valid(p) || bytes.TrimLeft(p, " \t\r\n")[0] != '{':
		return fmt.Errorf("%w: want a JSON object", ErrInvalid)
	}
	if err := json.Unmarshal(p, v); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return nil
}

// checkAll fails unless all signatures are valid.
func checkAll(signatures [][]byte, valid func([]byte) error) error {
	for i, s := range signatures {
		if err := valid(s); err != nil {
			return fmt.Errorf("signature %d: %w", i, err)
		}
	}
	return nil
}
