package laws

import (
	"net/http"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
)

// softDeleteAzure counts the bytes that stay billed after an overwrite or a deletion where
// the account has soft delete or versioning.
func softDeleteAzure(r rule) enforcement {
	return r.countRemoved(func(p blob.GetPropertiesResponse) int64 { return *p.ContentLength })
}

// minimumDays is how long a blob of a tier is billed at least.
// https://learn.microsoft.com/en-us/azure/storage/blobs/access-tiers-overview
func minimumDays(tier blob.AccessTier) int {
	switch tier {
	case blob.AccessTierCool:
		return 30
	case blob.AccessTierCold:
		return 90
	case blob.AccessTierArchive:
		return 180
	}
	return 0
}

// earlyDeletionAzure counts the bytes that are overwritten or deleted before the minimum
// time of their tier.
func earlyDeletionAzure(r rule) enforcement {
	return r.countRemoved(func(p blob.GetPropertiesResponse) int64 {
		if p.AccessTier == nil || p.LastModified == nil {
			return 0
		}
		if time.Now().After(p.LastModified.AddDate(0, 0, minimumDays(blob.AccessTier(*p.AccessTier)))) {
			return 0
		}
		return *p.ContentLength
	})
}

// countRemoved accounts bytes of each blob that a call overwrites or deletes.
func (e rule) countRemoved(bytes func(blob.GetPropertiesResponse) int64) enforcement {
	before := func(c call, b blobName) int64 {
		if p, ok := e.stored(c.Context(), b); ok && p.ContentLength != nil {
			return bytes(p)
		}
		return 0
	}
	return func(w http.ResponseWriter, c call, next handler) {
		switch q := c.URL.Query(); {
		case commitsBlob(c.op), c.op == "Delete Blob" && !q.Has("snapshot") && !q.Has("versionid"):
			n := before(c, c.blob())
			onSuccess(w, c, next, func() { e.account(n) })
		case c.op == "Blob Batch":
			sizes := make(map[string]int64)
			for id, b := range e.batched(c) {
				sizes[id] = before(c, b)
			}
			answer := ask(c, next)
			for id, deleted := range batchResults(answer) {
				if deleted {
					e.account(sizes[id])
				}
			}
			reply(w, answer, nil)
		default:
			next(w, c)
		}
	}
}
