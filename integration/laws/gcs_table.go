package laws

import "net/http"

// gcsLaws are the laws of Google Cloud Storage. Laws that refuse calls stand before laws
// that count, or correct the store's answers.
func gcsLaws() []Law {
	laws := []Law{
		{
			Name: "gcs-reset", Fault: true,
			Rule:    "a connection may break at any time, before the store executed the request or after",
			Source:  "https://cloud.google.com/storage/docs/retry-strategy",
			enforce: reset,
		},
		{
			Name: "gcs-backend-error", Fault: true,
			Rule:    "any request may be answered by 503 backendError and is to be repeated with back-off",
			Source:  "https://cloud.google.com/storage/docs/json_api/v1/status-codes https://cloud.google.com/storage/docs/request-rate",
			enforce: faultGCS(http.StatusServiceUnavailable, "backendError", "We encountered an internal error. Please try again."),
		},
		{
			Name: "gcs-internal-error", Fault: true,
			Rule:    "any request may be answered by 500 internalError and is to be repeated with back-off",
			Source:  "https://cloud.google.com/storage/docs/json_api/v1/status-codes",
			enforce: faultGCS(http.StatusInternalServerError, "internalError", "We encountered an internal error. Please try again."),
		},
		{
			Name: "gcs-rate-limit", Fault: true,
			Rule:    "requests above the rate that a bucket has ramped up to, or above a quota, are answered by 429 rateLimitExceeded",
			Source:  "https://cloud.google.com/storage/docs/request-rate https://cloud.google.com/storage/quotas",
			enforce: faultGCS(http.StatusTooManyRequests, "rateLimitExceeded", "The rate of requests exceeds the limit. Please reduce your request rate."),
		},
		{
			Name:    "gcs-signed-expiry",
			Rule:    "a signed URL ends at its time, at most 7 days from its making, with 400 ExpiredToken",
			Source:  "https://cloud.google.com/storage/docs/access-control/signed-urls https://cloud.google.com/storage/docs/xml-api/reference-status",
			enforce: signedExpiry,
		},
		{
			Name:    "object-rate",
			Rule:    "an object name takes one change per second (create, update or delete), others get 429 rateLimitExceeded",
			Source:  "https://cloud.google.com/storage/quotas#objects https://cloud.google.com/storage/docs/gcs429",
			enforce: objectRate,
		},
		{
			Name:    "generation-conditions",
			Rule:    "ifGenerationMatch and its kin hold for reads, deletions, copies, compositions and each of their sources, else 412 or 304",
			Source:  "https://cloud.google.com/storage/docs/request-preconditions",
			enforce: preconditions,
		},
		{
			Name:    "object-hold",
			Rule:    "an object under a hold is neither deleted nor replaced (403), its metadata may change",
			Source:  "https://cloud.google.com/storage/docs/object-holds",
			enforce: holds,
		},
		{
			Name:    "retention-policy",
			Rule:    "an object younger than the bucket's retention period is neither deleted nor replaced (403 retentionPolicyNotMet)",
			Source:  "https://cloud.google.com/storage/docs/bucket-lock",
			enforce: retention,
		},
		{
			Name:    "compose-class",
			Rule:    "the sources of a composite object have the storage class of their destination, else 400",
			Source:  "https://cloud.google.com/storage/docs/composite-objects",
			enforce: composeClass,
		},
		{
			Name:    "compose-checksum",
			Rule:    "a compose request whose destination has another CRC32C than its sources have together is refused (400 invalid)",
			Source:  "https://cloud.google.com/storage/docs/reference/rpc/google.storage.v2#composeobjectrequest https://pkg.go.dev/cloud.google.com/go/storage#Composer",
			enforce: composeChecksum,
		},
		{
			Name:    "gcs-soft-delete",
			Rule:    "a deleted or replaced object is kept and billed for 7 days, unless a compose request deleted it as its source",
			Source:  "https://cloud.google.com/storage/docs/soft-delete https://cloud.google.com/storage/docs/composing-objects",
			enforce: kept(softDeleted),
		},
		{
			Name:    "gcs-versions",
			Rule:    "with object versioning, an object that is replaced, or deleted without naming its version, stays as a noncurrent version, unless a compose request deleted it as its source",
			Source:  "https://cloud.google.com/storage/docs/object-versioning https://cloud.google.com/storage/docs/composing-objects",
			enforce: kept(noncurrent),
		},
		{
			Name:    "gcs-early-deletion",
			Rule:    "an object that is deleted or replaced before 30 (NEARLINE), 90 (COLDLINE) or 365 days (ARCHIVE) is billed for these, unless a compose request deleted it as its source",
			Source:  "https://cloud.google.com/storage/docs/storage-classes https://cloud.google.com/storage/docs/composing-objects",
			enforce: kept(early),
		},
		{
			Name:    "compose-sources",
			Rule:    "a compose request has 1 to 32 sources that are there, else 400 or 404, and deletes them if it says so",
			Source:  "https://cloud.google.com/storage/docs/json_api/v1/objects/compose",
			enforce: composeSources,
		},
		{
			Name:    "rewrite-class",
			Rule:    "a rewrite stores the destination in the storage class that it names",
			Source:  "https://cloud.google.com/storage/docs/changing-storage-classes",
			enforce: rewriteClass,
		},
		{
			Name:    "list-pages",
			Rule:    "items and common prefixes together fill a page of at most maxResults or 1,000, and none is on two pages",
			Source:  "https://cloud.google.com/storage/docs/json_api/v1/objects/list",
			enforce: listPages,
		},
		{
			Name:    "resumable-status",
			Rule:    "a request with Content-Range bytes */* or bytes */size and no bytes asks how much of a resumable upload has arrived, and changes nothing",
			Source:  "https://cloud.google.com/storage/docs/performing-resumable-uploads#status-check",
			enforce: sessionStatus,
		},
		{
			Name:    "transcoding",
			Rule:    "an object with Content-Encoding gzip is served unpacked, whole and without a length, unless the reader accepts gzip or the object has Cache-Control no-transform",
			Source:  "https://cloud.google.com/storage/docs/transcoding",
			enforce: transcoding,
		},
	}
	for i := range laws {
		laws[i].Store, laws[i].Sets, laws[i].Test = StoreGCS, []string{"gcs"}, "TestLaws/"+laws[i].Name
	}
	return laws
}
