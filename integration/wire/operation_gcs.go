package wire

import (
	"net/http"
	"strings"
)

// OperationGCS names the operation of a request: as the JSON API has it, or with
// the method and what it is for by the XML API.
// https://cloud.google.com/storage/docs/json_api/v1
// https://cloud.google.com/storage/docs/xml-api/reference-methods
func OperationGCS(r *http.Request) string {
	path := strings.TrimPrefix(r.URL.EscapedPath(), "/")
	if path == "batch/storage/v1" {
		return "batch"
	}
	path = strings.TrimPrefix(strings.TrimPrefix(path, "upload/"), "download/")
	path, json := strings.CutPrefix(path, "storage/v1/b")
	if !json {
		if _, object, _ := strings.Cut(path, "/"); object != "" {
			return r.Method + " Object"
		}
		return r.Method + " Bucket"
	}
	// ["", bucket, "o", object, verb, ...]
	switch names := strings.Split(path, "/"); {
	case len(names) > 4:
		return "objects." + strings.TrimSuffix(names[4], "To")
	case len(names) == 4:
		return "objects." + verbs[r.Method]
	case len(names) == 3 && r.Method == http.MethodGet:
		return "objects.list"
	case len(names) == 3:
		return "objects.insert"
	case len(names) == 2:
		return "buckets." + verbs[r.Method]
	case r.Method == http.MethodGet:
		return "buckets.list"
	default:
		return "buckets.insert"
	}
}

// verbs are what the JSON API calls methods on one resource.
var verbs = map[string]string{
	http.MethodGet: "get", http.MethodPut: "update", http.MethodPatch: "patch", http.MethodDelete: "delete",
}
