package blobstore

import (
	"context"
	"fmt"
	"io"

	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/blobstore/internal/upload"
)

// BlobOptions tune PutBlob.
type BlobOptions struct {
	// Replace writes even where a blob of the right size is, as when its content is known
	// to be wrong.
	Replace bool
}

// PutBlob stores content, which must have size bytes, as the blob d, to which no
// repository links yet. Nothing shows until the digest has been compared:
// distribution.ErrBlobInvalidDigest when it differs, ErrBodyLength when the size does. A
// blob of that size that is there already is left, one of another replaced. Its memory
// counts against the budget, for which it waits. It can't be resumed.
func (s *Store) PutBlob(ctx context.Context, d digest.Digest, size int64, content io.Reader, o BlobOptions) error {
	if err := checkDigest(d); err != nil {
		return err
	}
	if _, err := s.watch.Clear(ctx, d); err != nil {
		return fmt.Errorf("blob %s: %w", d, err)
	}
	if _, err := s.engine.Push(ctx, upload.Push{Digest: d, Size: size, Content: content, Replace: o.Replace}); err != nil {
		return asDistribution(fmt.Errorf("blob %s: %w", d, err))
	}
	return nil
}
