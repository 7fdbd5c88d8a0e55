// Package usage reads the bucket of a registry and tells who uses how much of it.
//
// # Whose bytes are whose
//
// A repository has the blobs that it has links to, the manifests that its tags name, and the
// blobs and manifests that its manifests name. A team is the first component of the names of
// its repositories. A blob lies in the bucket once, however many have it: it is exclusive to
// the repository, or to the team, that alone has it, and shared otherwise.
//
// Garbage collection that keeps untagged manifests takes what no manifest of a repository,
// no tag and no tarsum names. A link to a blob alone does not keep the blob.
//
// # On a live registry
//
// Blobs are listed first. What is pushed meanwhile is not counted, and what is deleted
// meanwhile may be. An error of the store ends the run: a report is complete, or there is none.
//
// # Costs
//
// One listing of blobs, one of repositories and one of uploads, 1,000 keys a request; a read
// for each manifest, once for all repositories that have it; and a read for each tag, unless
// its ETag in the listing proves which of the repository's manifests it names (S3 without KMS).
// A link to a blob by another algorithm than sha256 is read if the blob is not in the bucket
// by that digest. Where a store tells its settings, these take a few requests more.
//
// Memory is some 50 bytes for each blob, or 85 where the store lists keys in another order than
// by name; 150 for each manifest, and 4 for each of its references beyond six; and some 500 for
// each link of the repositories that are looked at in the same moment, at most 16.
package usage
