// Package transfer copies a registry, or some of its repositories or tags, from one
// store to another of any kind.
//
// # Order
//
// At any moment the destination is a registry that can be served: no link comes
// before its blob, and no tag before its manifest. A whole registry is copied blobs
// first, then links to layers, their tarsums, links to manifests, what tags were, and
// at last what tags are. A blob's digest is compared before it shows; one whose content is
// another is a [Problem] and stays out, with all that links to it.
//
// The source may be in use. What is pushed meanwhile is copied, or left for the
// next copy; a tag that moves meanwhile comes with its manifest and layers. Nothing
// is ever deleted: a tag or blob that is only in the destination stays.
//
// # Garbage collection
//
// Garbage may be collected in the destination meanwhile, see package gc. What the copy finds there
// and counts on is not taken away: the tombstones are listed once, and rescued where the source has
// what they condemn. A copy that takes longer than three quarters of the destination's CollectionWait
// goes through all of it again, by the listings, and brings what is gone. Where that takes
// too long as well, each of four times, the copy ends with [ErrUnsettled].
//
// # Going on
//
// What is there already is not copied again, so a copy that was stopped is
// continued by making it again. Both stores are listed side by side, in the order
// of their keys, which tells that without a request for each blob. A blob counts as
// there if its size is right, or, with [Options.Verify], its content.
// A process that is killed leaves at most the parts of those blobs that it was
// copying, which the destination's sweeper finds.
//
// # Memory
//
// Blobs pass through the destination's memory budget. Beside it there are pages of
// the two listings, some thousand links, and the last 65,536 keys that are known to
// be in the destination: below 50 MiB, however large the registry is. Selecting
// tags also holds the digests of the manifests of the repositories at hand, some
// 300 bytes each.
//
// # Requests
//
// A blob that is copied takes one to read and what a push takes to write: one,
// unless it is large. A link takes two. What is there already takes a thousandth of
// two listings; a tag two reads, since it may have moved. Selected repositories
// take two more for each blob of theirs, as a listing of all blobs would not pay.
package transfer
