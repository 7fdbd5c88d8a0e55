package blobstore

import (
	"context"

	"github.com/blobdock/blobdock/blobstore/internal/upload"
)

// File is an upload to a key of the caller's choice, with no digest to compare: what a
// registry's storage driver appends to. Like a [Writer] it can be resumed by any replica.
// It is not safe for concurrent use.
type File = upload.File

// DigestKey is the metadata that a committed [File] has its content's SHA-256 digest in, in
// hexadecimal digits, where the store keeps metadata.
const DigestKey = upload.DigestKey

// Append opens the object at key for writing: anew, or with resume at the end of what was
// written and not committed. Committed content can't be appended to, except when it has no
// bytes: driver.Unsupported.
func (s *Store) Append(ctx context.Context, key string, resume bool) (*File, error) {
	return s.engine.Append(ctx, key, resume)
}

// IsHidden reports whether key is that of an object which listings should not show: one of
// a File that is not committed, or what blobdock's first edition kept of one.
func IsHidden(key string) bool { return upload.InChain(key) || isLegacySession(key) }

// ChainOf is the prefix of the objects of a File to key that is not committed.
func ChainOf(key string) string { return upload.ChainOf(key) }
