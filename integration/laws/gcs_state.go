package laws

// gcsState is what the laws of Google Cloud Storage know beyond one call.
type gcsState struct {
	sessions uploadSessions
	locks    nameLocks
	held     heldNames
}
