package laws

import (
	"bufio"
	"bytes"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"slices"
)

// batchBusy lets single deletions of a Blob Batch fail: the batch is 202 all the same.
func batchBusy(r rule) enforcement {
	return func(w http.ResponseWriter, c call, next handler) {
		if c.op != "Blob Batch" {
			next(w, c)
			return
		}
		busy := make(map[string]bool) // by Content-ID
		names := r.batched(c)
		for _, id := range slices.Sorted(maps.Keys(names)) {
			one := call{c.Request, "Delete Blob", names[id].container, names[id].key}
			if r.strikes(one) {
				busy[id] = true
				r.record(one, http.StatusServiceUnavailable, "ServerBusy")
			}
		}
		if len(busy) == 0 {
			next(w, c)
			return
		}
		if !r.options.Faults[r.law].After {
			if err := spoilParts(c, busy); err != nil {
				r.refuseAzure(w, c, http.StatusBadRequest, "InvalidInput", "the batch can't be read")
				return
			}
		}
		answer := ask(c, next)
		if answer.Code >= http.StatusMultipleChoices {
			reply(w, answer, nil)
			return
		}
		reply(w, answer, busyParts(answer, busy))
	}
}

// spoilParts changes the name of the blob, or the signature behind it, in parts of a batch:
// the store refuses these. The batch keeps its length, which its own signature covers.
func spoilParts(c call, spoilt map[string]bool) error {
	body, err := io.ReadAll(c.Body)
	if err != nil {
		return err
	}
	_, params, err := mime.ParseMediaType(c.Header.Get("Content-Type"))
	if err != nil {
		return err
	}
	parts := bytes.Split(body, []byte("--"+params["boundary"]))[1:] // within body
	eachPart(c.Header, body, func(id string, _ *bufio.Reader) {
		end := bytes.Index(parts[0], []byte(" HTTP/1.1\r\n"))
		if spoilt[id] && end > 0 {
			last := &parts[0][end-1]
			if *last != '0' {
				*last = '0'
			} else {
				*last = '1'
			}
		}
		parts = parts[1:]
	})
	c.Body = io.NopCloser(bytes.NewReader(body))
	return nil
}

// busyParts returns the body of a batch's answer in which parts are 503 ServerBusy.
func busyParts(answer *httptest.ResponseRecorder, busy map[string]bool) []byte {
	_, params, err := mime.ParseMediaType(answer.Header().Get("Content-Type"))
	if err != nil {
		return nil
	}
	var out bytes.Buffer
	parts := multipart.NewWriter(&out)
	if parts.SetBoundary(params["boundary"]) != nil {
		return nil
	}
	eachRawPart(answer.Header(), answer.Body.Bytes(), func(p *multipart.Part) {
		w, err := parts.CreatePart(p.Header)
		switch {
		case err != nil:
		case busy[p.Header.Get("Content-Id")]:
			_, _ = io.WriteString(w, "HTTP/1.1 503 The server is busy.\r\nx-ms-error-code: ServerBusy\r\nContent-Length: 0\r\n\r\n")
		default:
			_, _ = io.Copy(w, p)
		}
	})
	_ = parts.Close()
	return out.Bytes()
}
