package integration_test

import "github.com/blobdock/blobdock/driver"

// gcsLimits are what Google's store can't do.
var gcsLimits = map[string]string{
	"sign/part": "GCS: the reply to a PUT does not tell what names the part",
}

// gcsExceptions are what fake-gcs-server gets wrong, and what GCS can't do. Behind laws,
// and on the server of package gcs that follows Google's documentation, the same suite
// runs with gcsLimits.
var gcsExceptions = map[string]string{
	"cond-honoured":     "compose and rewrite ignore preconditions; Put's are tested by one-wins-if-absent and one-wins-if-match",
	"complete-by-etag":  "compose ignores the generations of its sources",
	"complete-consumes": "compose ignores deleteSourceObjects, and answers 500 for a source that is gone",
	"retarget":          "the same",
	"concat-pins":       "the same",
	"concat-atomic":     "compose ignores preconditions",
	"delete-version":    "delete ignores preconditions",
	"upload-list":       "the same: what was completed is still listed",
	"copy":              "rewrite ignores ifSourceGenerationMatch",
	"etag-pins":         "reads ignore x-goog-if-generation-match",
	"model":             "all of these",
	"list-pages":        "every page repeats the common prefixes of all that follow",
	"sign":              "response-cache-control is ignored; signatures are not looked at either",

	"concat-joins/scratch": "compose ignores deleteSourceObjects",
	"delete-batch/version": "delete ignores preconditions",
	"sign/part":            gcsLimits["sign/part"],
}

// gcsCosts are the verbs that take more than one request.
var gcsCosts = map[driver.Op]int64{
	driver.OpPutPart:     2, // the part, and a look at the marker
	driver.OpAbortUpload: 3, // the marker, a listing, and each part
}

// azureExceptions are what Azure's blocks can't do in one request. They belong to
// a blob's name and not to an upload: nothing has to begin before they are sent,
// any commit at the name drops all that it doesn't name, and nobody can ask for
// that without a commit.
var azureExceptions = map[string]string{
	"bucket-not-key/create-upload": "CreateUpload makes no request; the first part tells",
	"complete-by-etag/replaced":    "a part's ETag names its block, and the replaced block is still there: what is named is what is stored",
	"complete-consumes":            "Put Block asks for no upload, and a commit takes along the parts of all uploads to the key",
	"concat-pins/uploads":          "an abort leaves the parts at their key",
	"copy-part/beyond":             "Azurite copies as much as there is",
	"copy-part/completed":          "Put Block From URL asks for no upload",
	"key-bytes/backslash":          "Azure takes it for a slash",
	"key-bytes/utf-16":             "Azurite sorts by UTF-16 units",
	"model/uploads":                "the same",
	"sign/part":                    "the reply to Put Block has nothing that names the part",
	"upload-invisible/overwritten": "a Put drops the parts that wait at its key",
	"upload-list":                  "a listing tells the key of parts, not their upload; uploads without parts don't exist",
}

// Without a folder of the upload's own an abort has nothing to ask for.
var azureCosts = map[driver.Op]int64{driver.OpCreateUpload: 0, driver.OpAbortUpload: 0}
