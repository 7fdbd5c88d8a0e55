// Package gc collects garbage in the bucket of a registry that is in use: blobs that no manifest
// refers to, links to them, and, where asked for, manifests without a tag.
//
// Clients may push, pull and delete meanwhile, through any number of replicas, and several
// collectors may run at once. docs/gc-protocol.md says why that is safe, and what it asks of the
// store and of those that write to the bucket: all registries on it must be blobdock with its
// middleware, or be library users of packages blobstore and manifests. Distribution's own drivers
// know nothing of the protocol. Neither do package transfer, which copies links of its own, and the
// repairs of package check: no collection may run while one of them writes to the bucket.
//
// # A run
//
// All manifests and tags are read, and all blobs listed. All that is unused and older than
// [Options.OlderThan] is condemned: a small object below _gc/ says so, which pushes see and may
// revoke. After [Options.Wait] all is read again, and what is still unused is deleted. A run that
// ends early leaves no harm: the next one goes on from there.
//
// An error of the store ends the run. A link or manifest that was read in full and can't be
// understood is kept, and told; so is everything in its repository that it might refer to.
//
// # Costs
//
// A run lists the keys of repositories twice and blobs once, 1,000 keys a request, reads each
// manifest once and each tag twice, and so each link to a blob that a manifest names by another
// algorithm than sha256. A collected object costs some eight requests. Memory is some
// 100 bytes for each blob, and 150 for each manifest.
package gc
