//go:build tools

// Package minio pins the MinIO server that the emulator package builds. It is a
// module of its own because MinIO is AGPL and has hundreds of dependencies:
// nothing of it is linked into blobdock.
package minio

import _ "github.com/minio/minio"
