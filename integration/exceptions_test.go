package integration_test

import (
	"maps"

	"github.com/blobdock/blobdock/integration/verify"
)

// gcsExceptions are what fake-gcs-server gets wrong, and what GCS can't do. The tests of
// package gcs run the same suite, with the latter alone left out, on a server that follows
// Google's documentation.
var gcsExceptions = with(verify.Exceptions("gcs"), map[string]string{
	"cond-honoured":   "compose and rewrite ignore preconditions; Put's are tested by one-wins-if-absent and one-wins-if-match",
	"concat-pins":     "compose ignores the generations of its sources, and answers 500 for a source that is gone",
	"concat-atomic":   "compose ignores preconditions",
	"concat-checksum": "compose ignores the checksum of its destination; the driver deletes what it has made",
	"delete-version":  "delete ignores preconditions",
	"copy":            "rewrite ignores ifSourceGenerationMatch",
	"etag-pins":       "reads ignore x-goog-if-generation-match",
	"model":           "all of these",
	"list-pages":      "every page repeats the common prefixes of all that follow",
	"sign":            "response-cache-control is ignored; signatures are not looked at either",

	"concat-joins/scratch": "compose ignores deleteSourceObjects",
	"delete-batch/version": "delete ignores preconditions",
})

// azureExceptions are what Azurite gets wrong, and what Azure's blocks can't do.
var azureExceptions = with(lawfulAzureExceptions, map[string]string{
	"copy-part/beyond": "Azurite copies as much as there is",
})

// lawfulAzureExceptions are what no law corrects of it.
var lawfulAzureExceptions = with(verify.Exceptions("azure"), map[string]string{
	"key-bytes/utf-16": "Azurite sorts by UTF-16 units",
})

// azureCosts are the verbs that take another number of requests than one.
var azureCosts = verify.Costs("azure")

// with is what a store can't do together with what its emulator gets wrong.
func with(store, emulator map[string]string) map[string]string {
	all := maps.Clone(store)
	maps.Copy(all, emulator)
	return all
}
