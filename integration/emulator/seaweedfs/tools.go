//go:build tools

// Package seaweedfs pins SeaweedFS,
// which the emulator package builds. It is a module of its own so that nothing
// of it becomes a dependency of blobdock.
package seaweedfs

import _ "github.com/seaweedfs/seaweedfs/weed"
