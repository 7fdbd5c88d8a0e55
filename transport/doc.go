// Package transport is a transport of containers/image for images in the buckets of blobdock:
// what skopeo, podman and buildah are built of copies from and to a bucket, without a registry.
//
//	bucket:s3://my-bucket/registry?region=eu-west-1#team/app:v1
//	bucket:gs://my-bucket/registry#team/app@sha256:...
//	bucket:azblob://my-container/registry?account=myaccount#team/app:v1
//	bucket:file:///srv/registry#team/app:v1
//
// It is a URL of the store, with the options that the store's package has, and behind a # the
// repository and a tag or a digest. There is no default tag. A # in the URL itself is written %23.
// Credentials come from where the store's package looks for them, never from the URL.
//
// Importing the package registers the transport. Stores are imported beside it, as for
// [driver.Open]:
//
//	import (
//		_ "github.com/blobdock/blobdock/s3" // s3://
//		_ "github.com/blobdock/blobdock/transport"
//	)
//
//	src, err := alltransports.ParseImageName("docker://alpine:3")
//	dst, err := alltransports.ParseImageName("bucket:s3://my-bucket/registry#alpine:3")
//	_, err = copy.Image(ctx, policy, dst, src, nil)
//
// A tag shows when [Destination.Commit] has returned, after all that its manifest names. Blobs
// have their digests before they show, and what the bucket has already is linked, not sent.
// Garbage collection may run meanwhile.
//
// # What containers/image keeps to itself
//
// Its copy package asks sources for parts of a blob, and hands signatures of sigstore over, by
// interfaces whose types are internal to it. [Source.GetBlobAt] has the meaning of the one, and
// serves callers who know a [Source]; copies to containers-storage: pull whole layers.
// Signatures of OpenPGP are kept, see [Destination.SupportsSignatures].
package transport
