// Package layers is a store's blobs behind the LayerService that docker/distribution had before
// it had blobs: from v2.0.0-alpha to v2.0.1, in 2015. A registry that was written against that
// interface keeps its handlers, and gets uploads that any replica can resume.
//
// Layers are blobs: what is pushed through this package is pulled through [blobstore.Repository],
// and the other way round. The interfaces are declared here, as their module can't be imported
// any more; their methods are those of then. Package layers/tarsum is the interface before this
// one.
//
// The interfaces take no context. A [Service] is made for one request, with the request's context,
// see [blobstore.WithRequest].
package layers
