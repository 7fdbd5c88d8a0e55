// Package tarsum is a store's blobs behind the LayerService that Docker's registry had before
// package layers' one: that of its rewrite in Go, at the end of 2014. Layers are named by their
// tarsum, a checksum of the files in a layer and not of the tar archive around them.
//
// A layer is a blob of the repository as well, by its digest. The link from the tarsum to the blob
// lies where registries of 2015 have it:
//
//	repositories/<name>/_layers/tarsum/<version>/<algorithm>/<hex>/link
//
// Its content is the blob's digest, as v2.0.0 and later write it. Earlier ones kept blobs under
// their tarsum; those can't be fetched.
//
// A tarsum is no proof of a layer's content: it leaves out times, and whatever the archive has
// beside files. It is here for what was named by it.
//
// The interfaces take no context. A [Service] is made for one request, with the request's context,
// see [blobstore.WithRequest].
package tarsum
