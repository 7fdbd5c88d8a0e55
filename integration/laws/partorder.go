package laws

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
)

// completion is the body of CompleteMultipartUpload.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html
type completion struct {
	XMLName xml.Name `xml:"CompleteMultipartUpload"`
	Part    []completedPart
}

type completedPart struct {
	PartNumber int
	ETag       string
}

// completionOf reads what a CompleteMultipartUpload names, and leaves its body to be read.
func completionOf(c call) (completion, error) {
	var parsed completion
	body, err := io.ReadAll(c.Body)
	if err != nil {
		return parsed, err
	}
	c.Body = io.NopCloser(bytes.NewReader(body))
	return parsed, xml.Unmarshal(body, &parsed)
}

// partOrder refuses gaps in the part numbers of an upload of which a part came with a
// checksum.
func partOrder(r rule) enforcement {
	var mu sync.Mutex
	summed := make(map[string]bool) // by upload id
	return func(w http.ResponseWriter, c call, next handler) {
		id := c.URL.Query().Get("uploadId")
		switch c.op {
		case "UploadPart":
			if hasChecksum(c.Header) {
				mu.Lock()
				summed[id] = true
				mu.Unlock()
			}
		case "CompleteMultipartUpload":
			named, err := completionOf(c)
			if err != nil {
				r.refuseS3(w, c, http.StatusBadRequest, "MalformedXML", "the list of parts can't be read")
				return
			}
			mu.Lock()
			strict := summed[id]
			mu.Unlock()
			for i, p := range named.Part {
				if strict && p.PartNumber != i+1 {
					r.refuseS3(w, c, http.StatusBadRequest, "InvalidPartOrder", fmt.Sprintf("part %d of the list has the number %d", i+1, p.PartNumber))
					return
				}
			}
		}
		next(w, c)
	}
}

// hasChecksum reports whether a part comes with an additional checksum, as a header or
// as a trailer.
func hasChecksum(h http.Header) bool {
	for name := range h {
		if strings.HasPrefix(name, "X-Amz-Checksum-") {
			return true
		}
	}
	return strings.HasPrefix(h.Get("X-Amz-Trailer"), "x-amz-checksum-")
}
