// Package check reads the bucket of a registry and tells what is damaged, and
// repairs what can be repaired with certainty.
//
// # What is looked at
//
// All keys are listed, all links and all manifests are read, and manifests are
// compared with their digests. Whatever a manifest refers to must be in the
// bucket, have the size that the manifest says, and be linked in its repository.
// With [Options.Digest] the content of every blob is read and compared as well.
// [Kinds] has all that may be found.
//
// What a manifest need not have is not asked for: foreign layers, and the subject
// of a referrer. A link to a layer may name the blob by another algorithm's
// digest, as distribution's own links for sha512 do.
//
// # On a live registry
//
// A registry writes blobs before links, and manifests before tags. Blobs are
// therefore listed first, and what seems to be missing is asked for once more
// before it is told. Objects younger than [Options.OlderThan] may belong to pushes
// under way and are not judged. Garbage collection is another matter: it removes
// blobs before the links to them.
//
// An error of the store is never taken for damage: it ends the check.
//
// # Repairing
//
// Repairing writes links, and nothing else: no object is deleted, and no blob is
// changed. What a link should hold follows from its own key or from another link,
// which is read again just before, as is the blob; the write itself is conditional
// on nothing having changed, where the store has conditional writes.
//
// A manifest is taken at its word for what belongs to its repository. In a registry
// that does not validate manifests, whoever pushes one could thereby get at blobs
// of other repositories by their digests: leave [ReferenceUnlinked] and [ChildUnlinked] out.
//
// # Costs
//
// One listing of blobs and of repositories, 1,000 keys a request; a read for each
// link and each manifest; and a HEAD for what seems to be missing. With Digest, one
// more listing of both, and a read for each blob. Manifests that several
// repositories have are read once, as long as no more than 10,000 others came in
// between. On S3, links are not read where the ETags in the listing are MD5 sums,
// which prove what they hold: only tags are, then.
//
// Memory is some 100 bytes for each blob of the registry; some 400 for each link of
// the repositories that are looked at in the same moment, at most 16; 512 KiB for each
// request under way; and the references of 10,000 manifests.
package check
