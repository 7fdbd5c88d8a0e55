//go:build tools

// Package versitygw pins the Versity S3 gateway,
// which the emulator package builds. It is a module of its own so that nothing
// of it becomes a dependency of blobdock.
package versitygw

import _ "github.com/versity/versitygw/cmd/versitygw"
