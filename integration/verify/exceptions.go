package verify

import (
	"maps"
	"strings"

	"github.com/blobdock/blobdock/driver"
)

// Exceptions are the tests of the conformance suite, or parts of them, that a store can't
// pass whatever its driver does, with the reasons. name is the driver's Features.Name.
func Exceptions(name string) map[string]string {
	switch name {
	case "gcs":
		return map[string]string{
			"sign/cache-control": "GCS documents overrides of a content's type and disposition alone",
		}
	case "azure":
		// Azure's blocks belong to a blob's name and not to an upload: nothing has to
		// begin before they are sent, any commit at the name drops all that it doesn't
		// name, and nobody can ask for that without a commit.
		return map[string]string{
			"bucket-not-key/create-upload": "CreateUpload makes no request; the first part tells",
			"complete-by-etag/replaced":    "a part's ETag names its block, and the replaced block is still there: what is named is what is stored",
			"complete-consumes":            "Put Block asks for no upload, and a commit takes along the parts of all uploads to the key",
			"concat-pins/uploads":          "an abort leaves the parts at their key",
			"copy-part/completed":          "Put Block From URL asks for no upload",
			"key-bytes/backslash":          "Azure takes it for a slash",
			"model/uploads":                "a commit takes along the parts of all uploads to the key",
			"sign/part":                    "the reply to Put Block has nothing that names the part",
			"upload-invisible/overwritten": "a Put drops the parts that wait at its key",
			"upload-list":                  "a listing tells the key of parts, not their upload; uploads without parts don't exist",
		}
	case "s3/ceph":
		return with(CopiesAnyVersion, map[string]string{
			"model/uploads":     "a copy to a part decodes the key of its source twice",
			"complete-consumes": "completion of an upload that is complete, or aborted, is no 404",
		})
	case "s3/swift":
		return map[string]string{
			"complete-consumes":   "parts and completion of an upload that is complete are taken",
			"copy-part/beyond":    "Swift copies as much as there is",
			"copy-part/completed": "parts of an upload that is complete are taken",
		}
	}
	return nil
}

// CopiesAnyVersion is for stores that ignore the ETag of a copy's source. Uploads do not depend on it:
// their objects are never overwritten.
var CopiesAnyVersion = map[string]string{
	"copy/changed":        "X-Amz-Copy-Source-If-Match is ignored",
	"copy-part/changed":   "X-Amz-Copy-Source-If-Match is ignored",
	"concat-pins/changed": "X-Amz-Copy-Source-If-Match is ignored",
}

func with(some, more map[string]string) map[string]string {
	all := maps.Clone(some)
	maps.Copy(all, more)
	return all
}

// Costs are the verbs that take another number of requests than one.
func Costs(name string) map[driver.Op]int64 {
	switch name {
	case "azure":
		// Without a folder of the upload's own an abort has nothing to ask for.
		return map[driver.Op]int64{driver.OpCreateUpload: 0, driver.OpAbortUpload: 0}
	case "s3/ceph":
		// Its reply has no ETag.
		return map[driver.Op]int64{driver.OpCompleteUpload: 2}
	}
	return nil
}

// listsByKey reports whether the store lists an upload by its exact key only.
func listsByKey(name string) bool { return strings.HasSuffix(name, "/minio") }
