package laws

import (
	"bufio"
	"bytes"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"strings"
)

// apart takes a batch apart, so that laws see single calls, and puts the answers together
// again, in the order of the calls.
// https://cloud.google.com/storage/docs/batch
func (s *gcsState) apart(next handler) handler {
	return func(w http.ResponseWriter, c call) {
		if c.op != "batch" {
			next(w, c)
			return
		}
		parts, err := c.MultipartReader()
		if err != nil {
			http.Error(w, "a batch is multipart/mixed", http.StatusBadRequest)
			return
		}
		var answers bytes.Buffer
		out := multipart.NewWriter(&answers)
		for {
			part, err := parts.NextPart()
			if err != nil {
				break
			}
			if err := s.nested(c, part, out, next); err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
		}
		_ = out.Close()
		w.Header().Set("Content-Type", "multipart/mixed; boundary="+out.Boundary())
		w.Header().Set("Content-Length", fmt.Sprint(answers.Len()))
		_, _ = w.Write(answers.Bytes())
	}
}

// nested answers one call of a batch.
func (s *gcsState) nested(batch call, part *multipart.Part, out *multipart.Writer, next handler) error {
	r, err := http.ReadRequest(bufio.NewReader(part))
	if err != nil {
		return err
	}
	// The headers of the batch are those of each call, but for what a call has itself.
	for name, values := range batch.Header {
		if _, own := r.Header[name]; !own && !strings.HasPrefix(name, "Content-") {
			r.Header[name] = values
		}
	}
	answer := ask(s.describe(r.WithContext(batch.Context())), next).Result()
	answer.ContentLength = -1
	if n := answer.Header.Get("Content-Length"); n != "" {
		_, _ = fmt.Sscan(n, &answer.ContentLength)
	}
	head := textproto.MIMEHeader{"Content-Type": {"application/http"}}
	if id := part.Header.Get("Content-Id"); id != "" {
		head.Set("Content-Id", strings.Replace(id, "<", "<response-", 1))
	}
	to, err := out.CreatePart(head)
	if err != nil {
		return err
	}
	return answer.Write(to)
}
