package wire

import (
	"net/http"
	"strings"
)

// OperationS3 names the operation of a path-style request.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html
func OperationS3(r *http.Request) string {
	q := r.URL.Query()
	_, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	copies := r.Header.Get("X-Amz-Copy-Source") != ""
	type on struct {
		method string
		object bool
	}
	switch (on{r.Method, key != ""}) {
	case on{http.MethodPut, true}:
		switch {
		case q.Has("uploadId") && copies:
			return "UploadPartCopy"
		case q.Has("uploadId"):
			return "UploadPart"
		case copies:
			return "CopyObject"
		}
		return "PutObject"
	case on{http.MethodGet, true}:
		if q.Has("uploadId") {
			return "ListParts"
		}
		return "GetObject"
	case on{http.MethodHead, true}:
		return "HeadObject"
	case on{http.MethodDelete, true}:
		if q.Has("uploadId") {
			return "AbortMultipartUpload"
		}
		return "DeleteObject"
	case on{http.MethodPost, true}:
		switch {
		case q.Has("uploads"):
			return "CreateMultipartUpload"
		case q.Has("uploadId"):
			return "CompleteMultipartUpload"
		}
	case on{http.MethodPost, false}:
		if q.Has("delete") {
			return "DeleteObjects"
		}
	case on{http.MethodHead, false}:
		return "HeadBucket"
	case on{http.MethodGet, false}:
		switch {
		case q.Has("uploads"):
			return "ListMultipartUploads"
		case q.Has("location"):
			return "GetBucketLocation"
		case q.Get("list-type") == "2":
			return "ListObjectsV2"
		}
		return "ListObjects"
	}
	return r.Method + " " + r.URL.RawQuery
}
