// Package blobstore stores a container registry's blobs in an object store
// through package driver.
//
// A [Store] is one bucket. [Store.Repository] gives one repository's
// distribution.BlobStore, which a registry can use directly. Package registry plugs a Store
// into distribution, as its storage driver and middleware.
//
// # Uploads
//
// An upload is a chain of immutable objects: each request that adds bytes writes new ones
// under random names and changes none that exists. Requests can therefore not race, any
// replica can continue an upload, and two that continue from the same point make two
// branches, of which each is consistent. The upload's id changes with each answer and
// names the point to go on from. Bytes count against one memory budget for the whole
// process, as they arrive.
//
// Only a verdict ends an upload: a wrong digest or size, or the client's wish. After any
// other failure the same request can be sent again.
//
// # Publishing
//
// Content appears under its digest only after its hash has been compared: by one request
// where one part holds it, else by joining pieces in the store, or by a multipart upload at
// the digest's key where the digest was known before the bytes came.
//
// # Layout
//
// The bucket's layout is that of CNCF distribution, so that either can serve
// what the other wrote.
package blobstore
