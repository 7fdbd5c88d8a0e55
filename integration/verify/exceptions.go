package verify

import (
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
	}
	return nil
}

// Costs are the verbs that take another number of requests than one.
func Costs(name string) map[driver.Op]int64 {
	if name == "azure" {
		// Without a folder of the upload's own an abort has nothing to ask for.
		return map[driver.Op]int64{driver.OpCreateUpload: 0, driver.OpAbortUpload: 0}
	}
	return nil
}

// listsByKey reports whether the store lists an upload by its exact key only.
func listsByKey(name string) bool { return strings.HasSuffix(name, "/minio") }
