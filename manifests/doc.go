// Package manifests keeps a repository's manifests and tags on a [blobstore.Store], in the
// layout of CNCF distribution, byte for byte: what it writes distribution serves, and the
// other way round. Referrers are its own.
//
//	blobs/<algorithm>/<2 hex>/<hex>/data                            the manifest
//	repositories/<name>/_manifests/revisions/<algorithm>/<hex>/link  it belongs to the repository
//	repositories/<name>/_manifests/tags/<tag>/current/link           the tag's manifest
//	repositories/<name>/_manifests/tags/<tag>/index/.../link         those that it is or once was
//	repositories/<name>/_manifests/referrers/<subject>/<referrer>    the referrer has this subject
//
// A manifest takes two waits for the store, or three when its blobs have not just been
// pushed or looked up here: they are looked up; the manifest, its link, its referrer and the
// tag's history are written at the same time; then the tag. To read one by a tag takes two,
// by a digest one, and none when it was read within [blobstore.Options.LookupTTL].
package manifests
