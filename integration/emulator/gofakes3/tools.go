//go:build tools

// Package gofakes3 pins the gofakes3 server,
// which the emulator package builds. It is a module of its own so that nothing
// of it becomes a dependency of blobdock.
package gofakes3

import _ "github.com/johannesboyne/gofakes3/cmd/gofakes3"
