package laws

import "net/http"

// azureLaws are the laws of Azure Blob Storage. The set azure-hns is that of accounts with
// a hierarchical namespace. Archived blobs are left out: Azurite refuses reads of them.
func azureLaws() []Law {
	return []Law{
		{
			Store: StoreAzure, Name: "azure-busy", Sets: []string{"azure", "azure-hns"}, Fault: true,
			Rule:    "beyond its limits the service answers 503 ServerBusy",
			Source:  "https://learn.microsoft.com/en-us/rest/api/storageservices/common-rest-api-error-codes",
			Test:    "TestLaws/azure-busy",
			enforce: faultAzure(http.StatusServiceUnavailable, "ServerBusy", "the server is busy"),
		},
		{
			Store: StoreAzure, Name: "azure-internal-error", Sets: []string{"azure", "azure-hns"}, Fault: true,
			Rule:    "a request may fail with 500 InternalError, executed or not",
			Source:  "https://learn.microsoft.com/en-us/rest/api/storageservices/common-rest-api-error-codes",
			Test:    "TestLaws/azure-internal-error",
			enforce: faultAzure(http.StatusInternalServerError, "InternalError", "the server encountered an internal error"),
		},
		{
			Store: StoreAzure, Name: "azure-timeout", Sets: []string{"azure", "azure-hns"}, Fault: true,
			Rule:    "a request that takes too long is 500 OperationTimedOut, executed or not",
			Source:  "https://learn.microsoft.com/en-us/rest/api/storageservices/common-rest-api-error-codes",
			Test:    "TestLaws/azure-timeout",
			enforce: faultAzure(http.StatusInternalServerError, "OperationTimedOut", "the operation could not be completed within the permitted time"),
		},
		{
			Store: StoreAzure, Name: "azure-reset", Sets: []string{"azure", "azure-hns"}, Fault: true,
			Rule:    "a connection may be reset, before the request is executed or after it",
			Source:  "https://learn.microsoft.com/en-us/azure/well-architected/reliability/handle-transient-faults",
			Test:    "TestLaws/azure-reset",
			enforce: reset,
		},
		{
			Store: StoreAzure, Name: "azure-batch-busy", Sets: []string{"azure", "azure-hns"}, Fault: true,
			Rule:    "deletions of a batch succeed and fail one by one, the batch is 202 all the same",
			Source:  "https://learn.microsoft.com/en-us/rest/api/storageservices/blob-batch",
			Test:    "TestLaws/azure-batch-busy",
			enforce: batchBusy,
		},
		{
			Store: StoreAzure, Name: "api-version", Sets: []string{"azure", "azure-hns"},
			Rule: "a version of the protocol that the service does not know is 400 InvalidHeaderValue, in a shared access signature 403 AuthenticationFailed",
			Source: "https://learn.microsoft.com/en-us/rest/api/storageservices/versioning-for-the-azure-storage-services " +
				"https://github.com/Azure/azure-sdk-for-net/issues/45302 https://github.com/Azure/azure-sdk-for-net/issues/51354",
			Test:    "TestLaws/api-version",
			enforce: apiVersion,
		},
		{
			Store: StoreAzure, Name: "sas-start", Sets: []string{"azure", "azure-hns"},
			Rule: "where a SAS expiration policy blocks, a shared access signature needs a start, and an end within the policy's interval",
			Source: "https://learn.microsoft.com/en-us/azure/storage/common/sas-expiration-policy " +
				"https://learn.microsoft.com/en-us/javascript/api/@azure/arm-storage/saspolicy",
			Test:    "TestLaws/sas-start",
			enforce: sasStart,
		},
		{
			Store: StoreAzure, Name: "suffix-range", Sets: []string{"azure", "azure-hns"},
			Rule: "the last n bytes of a blob can't be asked for: the range bytes=-n is 416 InvalidRange",
			Source: "https://learn.microsoft.com/en-us/rest/api/storageservices/specifying-the-range-header-for-blob-service-operations " +
				"https://github.com/elastic/elasticsearch/pull/147935",
			Test:    "TestLaws/suffix-range",
			enforce: suffixRange,
		},
		{
			Store: StoreAzure, Name: "read-absent", Sets: []string{"azure", "azure-hns"},
			Rule:    "a read under If-Match of a blob that does not exist is 404 BlobNotFound rather than 412",
			Source:  "https://github.com/Azure/Azurite/issues/2751",
			Test:    "TestLaws/read-absent",
			enforce: readAbsent,
		},
		{
			Store: StoreAzure, Name: "blob-type", Sets: []string{"azure", "azure-hns"},
			Rule: "a blob's type can't change: writes, blocks and copies to a committed blob of another type are 409 InvalidBlobType",
			Source: "https://learn.microsoft.com/en-us/rest/api/storageservices/understanding-block-blobs--append-blobs--and-page-blobs " +
				"https://learn.microsoft.com/en-us/rest/api/storageservices/blob-service-error-codes " +
				"https://github.com/distribution/distribution/pull/4871 https://github.com/distribution/distribution/pull/4888",
			Test:    "TestLaws/blob-type",
			enforce: blobType,
		},
		{
			Store: StoreAzure, Name: "copy-from-url-size", Sets: []string{"azure", "azure-hns"},
			Rule: "Copy Blob From URL takes sources of up to 256 MiB, larger ones are 409 CannotVerifyCopySource",
			Source: "https://learn.microsoft.com/en-us/rest/api/storageservices/copy-blob-from-url " +
				"https://github.com/Azure/azure-sdk-for-go/issues/19880",
			Test:    "TestLaws/copy-from-url-size",
			enforce: copyFromURLSize,
		},
		{
			Store: StoreAzure, Name: "copy-from-url-type", Sets: []string{"azure", "azure-hns"},
			Rule: "the source of Copy Blob From URL is a committed block blob, others are 409 CannotVerifyCopySource",
			Source: "https://learn.microsoft.com/en-us/rest/api/storageservices/copy-blob-from-url " +
				"https://github.com/Azure/azure-sdk-for-go/issues/20942",
			Test:    "TestLaws/copy-from-url-type",
			enforce: copyFromURLType,
		},
		{
			Store: StoreAzure, Name: "copy-range-end", Sets: []string{"azure", "azure-hns"},
			Rule: "Put Block From URL of a range that reaches beyond the source's end is 416 InvalidRange",
			Source: "https://learn.microsoft.com/en-us/rest/api/storageservices/put-block-from-url " +
				"https://learn.microsoft.com/en-us/rest/api/storageservices/blob-service-error-codes",
			Test:    "TestLaws/copy-range-end",
			enforce: copyRangeEnd,
		},
		{
			Store: StoreAzure, Name: "azure-soft-delete", Sets: []string{"azure"},
			Rule: "with soft delete or versioning, what is overwritten or deleted stays and is billed (counted in bytes)",
			Source: "https://learn.microsoft.com/en-us/azure/storage/blobs/soft-delete-blob-overview " +
				"https://learn.microsoft.com/en-us/azure/storage/blobs/versioning-overview",
			Test:    "TestLaws/azure-soft-delete",
			enforce: softDeleteAzure,
		},
		{
			Store: StoreAzure, Name: "azure-early-deletion", Sets: []string{"azure", "azure-hns"},
			Rule:    "blobs that are deleted or overwritten before 30 days in Cool, 90 in Cold or 180 in Archive are billed until then (counted in bytes)",
			Source:  "https://learn.microsoft.com/en-us/azure/storage/blobs/access-tiers-overview",
			Test:    "TestLaws/azure-early-deletion",
			enforce: earlyDeletionAzure,
		},
		{
			Store: StoreAzure, Name: "uncommitted-blocks", Sets: []string{"azure", "azure-hns"},
			Rule: "uncommitted blocks are billed until they are committed or dropped, or a week after the last one (counted in bytes)",
			Source: "https://learn.microsoft.com/en-us/rest/api/storageservices/put-block " +
				"https://learn.microsoft.com/en-us/rest/api/storageservices/put-block-list",
			Test:    "TestLaws/uncommitted-blocks",
			enforce: uncommittedBlocks,
		},
		{
			Store: StoreAzure, Name: "folder-placeholders", Sets: []string{"azure-hns"},
			Rule: "directories are blobs without bytes that have the metadata hdi_isfolder, show in listings, stay when they are empty, and can't be deleted when they are not",
			Source: "https://learn.microsoft.com/en-us/azure/storage/blobs/data-lake-storage-known-issues " +
				"https://learn.microsoft.com/en-us/rest/api/storageservices/list-blobs " +
				"https://github.com/MicrosoftDocs/azure-docs/issues/57754",
			Test:    "TestLaws/folder-placeholders",
			enforce: folderPlaceholders,
		},
	}
}
