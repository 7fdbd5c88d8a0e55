package laws

import (
	"bufio"
	"bytes"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
)

// batched returns the blobs that a Blob Batch deletes, by the Content-ID of their
// subrequests, and leaves the batch's body to be read.
// https://learn.microsoft.com/en-us/rest/api/storageservices/blob-batch
func (e rule) batched(c call) map[string]blobName {
	body, err := io.ReadAll(c.Body)
	c.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body), failing{err}))
	names := make(map[string]blobName)
	eachPart(c.Header, body, func(id string, part *bufio.Reader) {
		r, err := http.ReadRequest(part)
		if err != nil || r.Method != http.MethodDelete {
			return
		}
		if b, ok := e.nameIn(r.URL); ok {
			names[id] = b
		} else if container, key, ok := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/"); ok {
			names[id] = blobName{container, key}
		}
	})
	return names
}

// failing returns an error in place of the rest of a body; nil is the end.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) {
	if f.err == nil {
		return 0, io.EOF
	}
	return 0, f.err
}

// batchResults reports for each subrequest of a Blob Batch whether it succeeded.
func batchResults(answer *httptest.ResponseRecorder) map[string]bool {
	results := make(map[string]bool)
	if answer.Code >= http.StatusMultipleChoices {
		return results
	}
	eachPart(answer.Header(), answer.Body.Bytes(), func(id string, part *bufio.Reader) {
		res, err := http.ReadResponse(part, nil)
		if err != nil {
			return
		}
		res.Body.Close()
		results[id] = res.StatusCode < http.StatusMultipleChoices
	})
	return results
}

// eachPart reads the parts of a multipart body until the first that is malformed.
func eachPart(h http.Header, body []byte, part func(id string, content *bufio.Reader)) {
	eachRawPart(h, body, func(p *multipart.Part) {
		// The header of an answer without a body may end at the boundary.
		part(p.Header.Get("Content-Id"), bufio.NewReader(io.MultiReader(p, strings.NewReader("\r\n\r\n"))))
	})
}

func eachRawPart(h http.Header, body []byte, part func(*multipart.Part)) {
	_, params, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil {
		return
	}
	parts := multipart.NewReader(bytes.NewReader(body), params["boundary"])
	for {
		p, err := parts.NextRawPart()
		if err != nil {
			return
		}
		part(p)
	}
}
