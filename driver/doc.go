// Package driver is the contract between blobdock and an object store: a small
// set of verbs, each of which is one request on the wire, plus the optional
// features that a store may offer, multipart uploads among them.
//
// The clauses below bind every implementation. Package drivertest has a test
// named after each, and runs on every driver and through every wrapper.
//
//	delete-absent      Delete of an absent key is nil.
//	range-edges        A range that starts at the object's size is empty; one that
//	                   starts beyond it is OutOfRange.
//	short-body         A body that ends before its announced length is an error,
//	                   never a plain io.EOF.
//	list-order         Listings are in byte order of the keys, across pages too.
//	cond-honoured      A condition is honoured atomically, or refused with
//	                   Unsupported before a byte is sent.
//	put-atomic         A failed Put leaves the old object; a reader never sees a
//	                   mixture of two.
//	part-replace       A part that is put again replaces the earlier one.
//	complete-by-etag   CompleteUpload names all parts by number, 1, 2, 3 and so on, and
//	                   by ETag. It fails with Mismatch when one was changed or is
//	                   gone.
//	complete-consumes  After CompleteUpload or AbortUpload the upload is gone: a
//	                   further part or Complete is NotFound; a further Abort is nil.
//	ctx-reachable      errors.Is(err, context.Canceled) and DeadlineExceeded hold for
//	                   calls that their context ended.
//	bucket-not-key     A missing bucket is NoBucket, never NotFound.
//	etag-pins          ReadOptions.IfMatch with another version's ETag is Mismatch.
//	key-bytes          Keys are kept byte for byte; those that not every store keeps
//	                   (empty, over 1,024 bytes, not UTF-8, control characters,
//	                   empty, "." or ".." segments) are Invalid.
//	metadata-kept      Content type and metadata come back as they were written,
//	                   where Features.Metadata says so. Listings need not tell them.
//	version-unique     Two versions of a key never have the same Version, also when
//	                   their bytes are equal. Writes and reads tell the same Version;
//	                   a store that has none tells none anywhere.
//	delete-version     Delete with IfVersion deletes that version and no other, or is
//	                   refused with Unsupported before anything is sent. An absent key
//	                   is nil.
//	delete-deadline    Delete with NotAfter is not executed later, or is refused with
//	                   Unsupported. A NotAfter that is past, or less than a second
//	                   away, is Invalid, and no request is made.
//	concat-joins       Concat makes an object of the bytes of its sources, in their
//	                   order, and leaves no other object or upload behind.
//	concat-pins        A source that is gone is NotFound and one that changed is
//	                   Mismatch; nothing shows at the key.
//	concat-atomic      A Concat that fails leaves the old object and all sources. Its
//	                   condition is honoured atomically, or refused with Unsupported.
//	concat-checksum    Where Features has both Concat and StatChecksums, sources that don't
//	                   have the CRC32C of the request are Corrupt; nothing shows at the
//	                   key, and they stay.
//	checksums-whole    A checksum that StatChecksums reports is that of all the object's
//	                   bytes. Where there is such a feature, it reports at least one for
//	                   what Put has written. Stat reports none.
//
// Bodies are sized and replayable (*io.SectionReader), so that retrying, hashing
// and signing need no look at the concrete type. An implementation reads a body
// from its start with ReadAt, leaves its seek position alone, and does not read it
// any more once the call has returned: the caller may use the memory again.
package driver
