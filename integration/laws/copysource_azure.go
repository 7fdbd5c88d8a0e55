package laws

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
)

// copyFromURLMax is the size of the largest source that Copy Blob From URL takes.
// https://learn.microsoft.com/en-us/rest/api/storageservices/copy-blob-from-url
const copyFromURLMax = 256 << 20

// copyFromURLSize refuses Copy Blob From URL of large sources.
func copyFromURLSize(r rule) enforcement {
	limit := r.options.Azure.CopyFromURLMax
	if limit == 0 {
		limit = copyFromURLMax
	}
	return r.onSource("Copy Blob From URL", func(w http.ResponseWriter, c call, source blob.GetPropertiesResponse) bool {
		if source.ContentLength == nil || *source.ContentLength <= limit {
			return true
		}
		r.refuseAzure(w, c, http.StatusConflict, "CannotVerifyCopySource", fmt.Sprintf("the copy source has %d bytes, the limit is %d", *source.ContentLength, limit))
		return false
	})
}

// copyFromURLType refuses Copy Blob From URL of sources that are not block blobs.
func copyFromURLType(r rule) enforcement {
	return r.onSource("Copy Blob From URL", func(w http.ResponseWriter, c call, source blob.GetPropertiesResponse) bool {
		if source.BlobType == nil || *source.BlobType == blob.BlobTypeBlockBlob {
			return true
		}
		r.refuseAzure(w, c, http.StatusConflict, "CannotVerifyCopySource", "the copy source must be a block blob, and is of type "+string(*source.BlobType))
		return false
	})
}

// copyRangeEnd refuses Put Block From URL of bytes that the source does not have.
func copyRangeEnd(r rule) enforcement {
	return r.onSource("Put Block From URL", func(w http.ResponseWriter, c call, source blob.GetPropertiesResponse) bool {
		last, ok := lastOf(c.Header.Get("X-Ms-Source-Range"))
		if !ok || source.ContentLength == nil || last < *source.ContentLength || r.options.Azure.CopyRangeTruncates {
			return true
		}
		r.refuseAzure(w, c, http.StatusRequestedRangeNotSatisfiable, "InvalidRange", fmt.Sprintf("the range ends at byte %d, the copy source has %d bytes", last, *source.ContentLength))
		return false
	})
}

// onSource has allow look at the source of each call of one operation. allow answers
// the calls that it refuses.
func (e rule) onSource(op string, allow func(w http.ResponseWriter, c call, source blob.GetPropertiesResponse) bool) enforcement {
	return func(w http.ResponseWriter, c call, next handler) {
		if c.op == op {
			if name, ok := e.sourceOf(c); ok {
				if source, ok := e.stored(c.Context(), name); ok && !allow(w, c, source) {
					return
				}
			}
		}
		next(w, c)
	}
}

// lastOf is the offset of the last byte of a range like "bytes=0-9".
func lastOf(s string) (int64, bool) {
	_, last, ok := strings.Cut(strings.TrimPrefix(s, "bytes="), "-")
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseInt(last, 10, 64)
	return n, err == nil
}
