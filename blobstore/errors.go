package blobstore

import (
	"errors"

	"github.com/distribution/distribution/v3"

	"github.com/blobdock/blobdock/blobstore/internal/memory"
	"github.com/blobdock/blobdock/blobstore/internal/upload"
)

var (
	// ErrUploadConflict is returned by Commit when the upload goes on elsewhere from the
	// same state, and this branch of it does not have the digest.
	ErrUploadConflict = upload.ErrConflict
	// ErrUploadGone is returned when objects of an upload were removed under it.
	ErrUploadGone = upload.ErrGone
	// ErrBadState is returned for an upload whose state is damaged.
	ErrBadState = upload.ErrBadState
	// ErrNewerState is returned for an upload that a newer version has continued.
	ErrNewerState = upload.ErrNewerState
	// ErrBodyLength is returned when a body is longer or shorter than it was announced.
	ErrBodyLength = upload.ErrLength
	// ErrUploadTooLarge is returned for an upload that is larger than any object of the
	// store.
	ErrUploadTooLarge = upload.ErrTooLarge
	// ErrUploadOffset is returned by Writer.Seek to where the upload has no state. The error's
	// text has the offsets of the states.
	ErrUploadOffset = upload.ErrOffset
	// ErrUploadClosed is returned by a Writer that was closed, committed or cancelled.
	ErrUploadClosed = upload.ErrClosed
	// ErrBusy is returned to a request that has waited too long for memory: more uploads
	// than the budget has room for are under way. The client tries again later.
	ErrBusy = memory.ErrBusy
)

// asDistribution is err as the value that distribution's handlers compare with ==.
func asDistribution(err error) error {
	var v *upload.Verdict
	switch {
	case errors.Is(err, upload.ErrUnknown):
		return distribution.ErrBlobUploadUnknown
	case errors.As(err, &v) && v.Refused != nil:
		return v.Refused
	case errors.As(err, &v) && v.Got == "":
		return distribution.ErrBlobInvalidLength
	case errors.As(err, &v):
		return distribution.ErrBlobInvalidDigest{Digest: v.Digest, Reason: v}
	default:
		return err
	}
}
