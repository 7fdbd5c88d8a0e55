// Package blobstore stores a container registry's blobs in an object store
// through package driver.
//
// A [Store] is one bucket. [Store.Repository] gives one repository's
// distribution.BlobStore, which a registry can use directly.
//
// # Uploads
//
// All that is known of an upload is in one session object: a small header and
// the bytes that are not yet a part. Every change to it is a conditional write,
// so any replica can continue an upload, and of two that try at once one loses
// with [ErrUploadConflict] and nothing is mixed up. Bytes go to the store as
// parts, in parallel, from buffers that count against one budget for the whole
// process. Before a writer sends a part it claims part numbers of its own in
// the session; what a crashed writer sent is thus never overwritten or used.
//
// # Publishing
//
// Content appears under its digest only after its hash has been compared. How
// it gets there depends on what the store offers and on whether the digest was
// known before the bytes came; publish.go has the table.
//
// # Layout
//
// The bucket's layout is that of CNCF distribution, so that either can serve
// what the other wrote.
package blobstore
