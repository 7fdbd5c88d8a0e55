//go:build tools

// Package fakegcs pins the fake-gcs-server that the emulator package builds. It
// is a module of its own so that its versions of what blobdock uses as well
// don't become blobdock's.
package fakegcs

import _ "github.com/fsouza/fake-gcs-server"
