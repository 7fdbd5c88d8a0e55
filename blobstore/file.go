package blobstore

import (
	"context"

	"github.com/blobdock/blobdock/blobstore/internal/upload"
)

// File is an upload to a key of the caller's choice, with no digest to compare: what a
// registry's storage driver appends to. Like a [Writer] it can be resumed by any replica.
// It is not safe for concurrent use.
type File = upload.File

// Append opens the object at key for writing: anew, or with resume at the end of what was
// written and not committed. Committed content can't be appended to, except when it has no
// bytes: driver.Unsupported.
func (s *Store) Append(ctx context.Context, key string, resume bool) (*File, error) {
	return s.engine.Append(ctx, key, resume)
}
