package upload

import "errors"

var (
	// ErrUnknown is returned for an id that names no upload, or one that has ended.
	ErrUnknown = errors.New("upload unknown")
	// ErrConflict is returned by Commit when the upload goes on elsewhere from the same
	// state, and this branch does not have the digest.
	ErrConflict = errors.New("another request has continued this upload")
	// ErrBadState is returned for a state object that is damaged.
	ErrBadState = errors.New("the upload's state is damaged")
	// ErrNewerState is returned for a state that a newer version has written.
	ErrNewerState = errors.New("the upload was continued by a newer version")
	// ErrLength is returned when a body is longer or shorter than it was announced.
	ErrLength = errors.New("body does not have the declared length")
	// ErrTooLarge is returned for an upload that is larger than any object of the store.
	ErrTooLarge = errors.New("upload is too large")
	// ErrClosed is returned by a Writer that is closed, committed or cancelled.
	ErrClosed = errors.New("upload writer is closed")
	// ErrOffset is what an *OffsetError matches.
	ErrOffset = errors.New("the upload has no state there")
	// ErrGone is returned when objects of the upload were removed.
	ErrGone = errors.New("objects of the upload are gone")
)
