package wire

import (
	"net/http"
	"strings"
)

// OperationAzure names the operation of a request that has the account in its path.
// https://learn.microsoft.com/en-us/rest/api/storageservices/blob-service-rest-api
func OperationAzure(r *http.Request) string {
	names := strings.SplitN(strings.TrimPrefix(r.URL.Path, "/"), "/", 3)
	comp := r.URL.Query().Get("comp")
	var op string
	switch {
	case len(names) == 3 && names[2] != "":
		op = azureBlob(r, comp)
	case len(names) >= 2 && names[1] != "":
		op = azureContainer[r.Method+" "+comp]
	default:
		op = azureService[r.Method+" "+comp]
	}
	if op == "" {
		return r.Method + " " + r.URL.RawQuery
	}
	return op
}

func azureBlob(r *http.Request, comp string) string {
	copies := r.Header.Get("X-Ms-Copy-Source") != ""
	switch r.Method + " " + comp {
	case "PUT ":
		switch {
		case !copies:
			return "Put Blob"
		case r.Header.Get("X-Ms-Blob-Type") != "":
			return "Put Blob From URL"
		case r.Header.Get("X-Ms-Requires-Sync") == "true":
			return "Copy Blob From URL"
		}
		return "Copy Blob" // asynchronous
	case "PUT block":
		if copies {
			return "Put Block From URL"
		}
		return "Put Block"
	case "PUT blocklist":
		return "Put Block List"
	case "GET blocklist":
		return "Get Block List"
	case "PUT appendblock":
		return "Append Block"
	case "GET ":
		return "Get Blob"
	case "HEAD ":
		return "Get Blob Properties"
	case "DELETE ":
		return "Delete Blob"
	}
	return ""
}

// By method and comp.
var (
	azureContainer = map[string]string{
		"GET list":   "List Blobs",
		"GET ":       "Get Container Properties",
		"HEAD ":      "Get Container Properties",
		"PUT ":       "Create Container",
		"DELETE ":    "Delete Container",
		"POST batch": "Blob Batch",
	}
	azureService = map[string]string{
		"GET list":               "List Containers",
		"GET properties":         "Get Blob Service Properties",
		"POST userdelegationkey": "Get User Delegation Key",
		"POST batch":             "Blob Batch",
	}
)
