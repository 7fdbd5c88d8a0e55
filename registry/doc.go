// Package registry plugs blobdock into CNCF distribution v3. Importing it
// registers a storage driver and a registry middleware, both named "blobdock",
// which share one engine:
//
//	storage:
//	  blobdock:
//	    url: s3://my-bucket/registry?region=eu-west-1
//	middleware:
//	  registry:
//	    - name: blobdock
//
// The middleware serves blobs, manifests, tags, referrers and the catalog. Garbage collection
// goes through the storage driver, which is complete by itself: without the middleware
// everything but referrers still works, with more requests. The store's driver must be
// imported, too, for its URL scheme.
//
// Options of the storage section are those of the store's URL, either in the
// URL or beside it, and those of [Config].
package registry
