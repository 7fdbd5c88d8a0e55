// Package integration tests the transport and blobdock-image on emulators of all three clouds,
// beside registries.
package integration
