package laws

// gcsLaws are the laws of Google Cloud Storage.
func gcsLaws() []Law { return nil }
