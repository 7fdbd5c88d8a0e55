package laws

import (
	"net/http"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
)

// blobType refuses writes to a committed blob of another type: the type is set when the
// blob is created, and only a deletion takes it away.
func blobType(r rule) enforcement {
	return func(w http.ResponseWriter, c call, next handler) {
		wants := r.typeOf(c)
		if wants == "" {
			next(w, c)
			return
		}
		p, ok := r.stored(c.Context(), c.blob())
		switch {
		case !ok || p.BlobType == nil || *p.BlobType == wants:
			next(w, c)
		case r.options.Azure.ConditionsFirst && conditionsFail(c.Header, p):
			next(w, c) // the store itself refuses
		default:
			r.refuseAzure(w, c, http.StatusConflict, "InvalidBlobType", "the blob is of type "+string(*p.BlobType)+", the operation is for "+string(wants))
		}
	}
}

// typeOf is the type of blob that a call writes to; "" is any.
func (e rule) typeOf(c call) blob.BlobType {
	switch c.op {
	case "Put Blob":
		return blob.BlobType(c.Header.Get("X-Ms-Blob-Type"))
	case "Put Block", "Put Block From URL", "Put Block List", "Put Blob From URL", "Copy Blob From URL":
		return blob.BlobTypeBlockBlob
	case "Append Block":
		return blob.BlobTypeAppendBlob
	case "Copy Blob": // the copy has the type of its source
		if source, ok := e.sourceOf(c); ok {
			if p, ok := e.stored(c.Context(), source); ok && p.BlobType != nil {
				return *p.BlobType
			}
		}
	}
	return ""
}

// conditionsFail reports whether a write's conditions fail for the blob that is there.
func conditionsFail(h http.Header, p blob.GetPropertiesResponse) bool {
	etag := ""
	if p.ETag != nil {
		etag = string(*p.ETag)
	}
	if v := h.Get("If-None-Match"); v == "*" || v != "" && v == etag {
		return true
	}
	v := h.Get("If-Match")
	return v != "" && v != "*" && v != etag
}
