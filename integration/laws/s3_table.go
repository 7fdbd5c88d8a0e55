package laws

// s3Laws are the laws of Amazon S3 and of the stores that speak its protocol. The first
// is asked first.
func s3Laws() []Law {
	every := []string{"aws", "b2", "ceph", "oss", "r2", "r2-old", "swift", "wasabi"}
	laws := []Law{
		// Checks before a request is looked at closely.
		{
			Name: "virtual-host", Sets: []string{"oss"},
			Rule:     "buckets are addressed by the host's name, not in the path",
			Source:   "https://www.alibabacloud.com/help/en/oss/how-to-troubleshoot-403-status-code-when-you-access-oss https://github.com/flashcatcloud/flashduty-runner/pull/42",
			rewrites: true, enforce: virtualHost,
		},
		{
			Name: "clock-skew", Sets: []string{"aws"},
			Rule:     "a request signed more than 15 minutes from the store's clock is refused, and a presigned one after its end by that clock",
			Source:   "https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html",
			rewrites: true, enforce: clockSkew,
		},
		{
			Name: "token-expiry", Sets: []string{"aws"},
			Rule:     "requests with temporary credentials, presigned ones too, are refused when the credentials have ended",
			Source:   "https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-presigned-url.html",
			rewrites: true, enforce: tokenExpiry,
		},
		// Faults of any request.
		{
			Name: "reset", Sets: every, Fault: true,
			Rule:    "a connection is reset before the answer, and the store may or may not have executed the request",
			Source:  "https://docs.aws.amazon.com/AmazonS3/latest/userguide/optimizing-performance-design-patterns.html",
			enforce: reset,
		},
		{
			Name: "internal-error", Sets: every, Fault: true,
			Rule:    "any request may fail with 500 InternalError",
			Source:  "https://docs.aws.amazon.com/AmazonS3/latest/userguide/ErrorBestPractices.html",
			enforce: internalError,
		},
		{
			Name: "unavailable", Sets: every, Fault: true,
			Rule:    "any request may fail with 503 ServiceUnavailable",
			Source:  "https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html",
			enforce: unavailable,
		},
		{
			Name: "slow-down", Sets: every, Fault: true,
			Rule:    "any request may fail with 503 SlowDown",
			Source:  "https://docs.aws.amazon.com/AmazonS3/latest/userguide/ErrorBestPractices.html https://repost.aws/knowledge-center/http-5xx-errors-s3",
			enforce: slowDown,
		},
		// Rates.
		{
			Name: "request-rate", Sets: []string{"aws"},
			Rule:    "a prefix takes 3,500 writes and 5,500 reads in a second, and answers 503 SlowDown above that",
			Source:  "https://docs.aws.amazon.com/AmazonS3/latest/userguide/optimizing-performance.html",
			enforce: requestRate,
		},
		{
			Name: "key-rate", Sets: []string{"r2", "r2-old"},
			Rule:    "one key takes one write in a second, and answers 429 with the code ServiceUnavailable above that",
			Source:  "https://developers.cloudflare.com/r2/platform/limits/ https://developers.cloudflare.com/r2/api/error-codes/",
			enforce: keyRateS3,
		},
		// Forms of answers.
		{
			Name: "head-silent", Sets: []string{"aws"},
			Rule:    "a failed HEAD has no body: its code is told by status and reason phrase alone",
			Source:  "https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html",
			enforce: headSilent,
		},
		{
			Name: "keep-alive-whitespace", Sets: []string{"aws"},
			Rule:    "white space comes before the result of completions and copies",
			Source:  "https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html",
			enforce: keepAliveSpace,
		},
		{
			Name: "late-error", Sets: []string{"aws"}, Fault: true,
			Rule:    "completions and copies may answer 200 and tell of an error in the body",
			Source:  "https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html",
			enforce: lateError,
		},
		{
			Name: "empty-result", Sets: []string{"aws"}, Fault: true,
			Rule:    "the answer to completions and copies may break off before the body, behind its 200",
			Source:  "https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html",
			enforce: emptyResult,
		},
		{
			Name: "blank-result", Sets: []string{"aws"}, Fault: true,
			Rule:    "the answer to completions and copies may break off behind its white space",
			Source:  "https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html",
			enforce: blankResult,
		},
		// Conditions.
		{
			Name: "conditional-conflict", Sets: []string{"aws"},
			Rule:    "a conditional write that meets another write or a delete of its key is refused with 409 ConditionalRequestConflict",
			Source:  "https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html",
			enforce: conditionalConflict,
		},
		{
			Name: "conditional-conflict-fault", Sets: []string{"aws"}, Fault: true,
			Rule:    "any conditional write may be refused with 409 ConditionalRequestConflict",
			Source:  "https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html",
			enforce: conditionalConflictFault,
		},
		{
			Name: "copy-conditions", Sets: []string{"aws"},
			Rule:    "CopyObject honours If-Match and If-None-Match about its destination",
			Source:  "https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html",
			enforce: copyConditions,
		},
		{
			Name: "copy-own-conditions", Sets: []string{"r2", "r2-old"},
			Rule:    "conditions about a copy's destination have headers of R2's own, and the ordinary ones are ignored",
			Source:  "https://developers.cloudflare.com/r2/api/s3/conditional-operations/",
			enforce: copyOwnConditions,
		},
		{
			Name: "delete-if-match", Sets: []string{"aws"},
			Rule:    "DeleteObject honours If-Match about the current version",
			Source:  "https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-deletes.html",
			enforce: deleteIfMatch,
		},
		{
			Name: "conditions-refused", Sets: []string{"b2", "oss", "swift"},
			Rule:    "conditional writes are refused with 501 NotImplemented",
			Source:  "https://www.backblaze.com/docs/cloud-storage-s3-compatible-api https://github.com/sathinduga/obsidian-s3-sync-and-backup/pull/84 https://github.com/tobi/walgit/issues/67 https://github.com/openstack/swift/blob/2.30.1/swift/common/middleware/s3api/s3request.py",
			enforce: conditionsRefused,
		},
		{
			// Wasabi's pages name no conditions on writes. To ignore them is the worst that a
			// store without them can do.
			Name: "conditions-ignored", Sets: []string{"wasabi"},
			Rule:     "conditions on writes are ignored",
			Source:   "https://docs.wasabi.com/docs/rest-api-introduction",
			rewrites: true, enforce: conditionsIgnored,
		},
		{
			// Until 2026. R2 knows them now.
			// https://developers.cloudflare.com/r2/api/s3/conditional-operations/
			Name: "complete-unconditional", Sets: []string{"r2-old"},
			Rule:     "completion knows no conditions",
			Source:   "https://developers.cloudflare.com/r2/api/s3/api/",
			rewrites: true, enforce: completeUnconditional,
		},
		{
			// Seen on 16.2.15, too.
			Name: "if-match-quoted", Sets: []string{"ceph"},
			Rule:    "a write with a quoted ETag in If-Match is refused with 412 though the ETag is right",
			Source:  "https://github.com/block/buzz/issues/3002",
			enforce: ifMatchQuoted,
		},
		{
			// Seen on 2.30.1.
			Name: "copy-etag-refused", Sets: []string{"swift"},
			Rule:    "a copy whose source is pinned by the ETag of an object in parts is refused with 412",
			Source:  "https://github.com/openstack/swift/blob/2.30.1/swift/common/middleware/s3api/controllers/multi_upload.py",
			enforce: copyETagRefused,
		},
		{
			// Seen on 16.2.15. It reads the condition from a header of another name.
			Name: "copy-condition-ignored", Sets: []string{"ceph"},
			Rule:     "a copy ignores the ETag that its source should have",
			Source:   "https://github.com/ceph/ceph/blob/v16.2.15/src/rgw/rgw_rest_s3.cc",
			rewrites: true, enforce: copyConditionIgnored,
		},
		// Uploads in parts.
		{
			Name: "part-order", Sets: []string{"aws"},
			Rule:    "when parts carry checksums, part numbers at completion are consecutive from 1",
			Source:  "https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompletedPart.html",
			enforce: partOrder,
		},
		{
			Name: "full-object-sum", Sets: []string{"aws"},
			Rule:     "an upload announced with a full-object checksum is completed without the sums of its parts",
			Source:   "https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html",
			rewrites: true, enforce: fullObjectSum,
		},
		{
			Name: "parts-all-named", Sets: []string{"ceph"},
			Rule:    "completion names every part that was uploaded",
			Source:  "https://github.com/ceph/ceph/blob/main/src/rgw/driver/rados/rgw_sal_rados.cc",
			enforce: partsAllNamed,
		},
		{
			Name: "equal-parts", Sets: []string{"r2", "r2-old"},
			Rule:    "all parts of an upload have one size, but for a smaller last one",
			Source:  "https://developers.cloudflare.com/r2/objects/upload-objects/ https://github.com/cloudflare/cloudflare-docs/pull/9549",
			enforce: equalParts,
		},
		{
			Name: "list-uploads", Sets: every,
			Rule:    "uploads under way are listed by any prefix of their keys, up to 1,000 on a page",
			Source:  "https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListMultipartUploads.html",
			enforce: listUploads,
		},
		// States of buckets and objects.
		{
			Name: "archived", Sets: []string{"aws"},
			Rule:     "objects in an archive can be looked at, but not read or copied",
			Source:   "https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-class-intro.html",
			rewrites: true, enforce: archived,
		},
		{
			Name: "etag-opaque", Sets: []string{"aws"},
			Rule:    "ETags in a bucket with SSE-KMS are no MD5, and those of equal bytes differ",
			Source:  "https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html",
			enforce: etagOpaque,
		},
		{
			Name: "versioned", Sets: []string{"aws"},
			Rule:    "a bucket with versions keeps what is overwritten and deleted, until its version is deleted",
			Source:  "https://docs.aws.amazon.com/AmazonS3/latest/userguide/versioning-workflows.html",
			enforce: versioned,
		},
	}
	for i := range laws {
		laws[i].Store, laws[i].Test = StoreS3, "TestLaws/"+laws[i].Name
	}
	return laws
}
