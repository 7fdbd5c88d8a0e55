package laws

import "time"

// AzureOptions are what the documents of Azure Blob Storage leave open.
type AzureOptions struct {
	// ConditionsFirst lets blob-type look at If-Match and If-None-Match before it looks
	// at the type: a create of a blob that exists with another type is then 409
	// BlobAlreadyExists. No document has the order. The strict reading is the type first.
	ConditionsFirst bool
	// CopyFromURLMax is the size of the largest source that Copy Blob From URL takes, in
	// bytes; 0 is the documented 256 MiB.
	CopyFromURLMax int64
	// CopyRangeTruncates lets Put Block From URL copy what there is of a source range
	// that reaches beyond the source's end. No document has what happens. The strict
	// reading is 416 InvalidRange.
	CopyRangeTruncates bool
	// SuffixRangeIgnored lets a read of "bytes=-n" return the whole blob with status 200.
	// The documents don't list the form, nor what becomes of it. The strict reading is
	// 416 InvalidRange, which others have seen. A request with the account's key can't be
	// passed on so: its signature covers the range.
	SuffixRangeIgnored bool
	// SASInterval is the longest time from st to se of a shared access signature that
	// the account's expiration policy lets pass; 0 is any.
	SASInterval time.Duration
	// APIVersion is the newest version of the protocol that the service knows, such as
	// "2026-02-06": stamps, sovereign clouds and Azure Stack lag behind. Empty, the
	// service knows all versions, as public Azure knows that of the SDK used here.
	APIVersion string
}
