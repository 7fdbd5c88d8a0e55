//go:build tools

// Package rclone pins rclone, whose "serve s3" is an S3 server,
// which the emulator package builds. It is a module of its own so that nothing
// of it becomes a dependency of blobdock.
package rclone

import _ "github.com/rclone/rclone"
