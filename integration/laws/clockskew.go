package laws

import (
	"fmt"
	"net/http"
	"regexp"
	"time"
)

// clockSkew gives the store another clock, for the age of signatures and for the dates in
// answers.
func clockSkew(r rule) enforcement {
	skew := r.options.S3.ClockSkew
	return func(w http.ResponseWriter, c call, next handler) {
		now := time.Now().Add(skew).UTC()
		w.Header().Set("Date", now.Format(http.TimeFormat))
		if s, ok := signedBy(c); ok {
			if v := s.stale(now); v.code != "" {
				r.refuseS3(w, c, v.status, v.code, v.message)
				return
			}
		}
		if skew == 0 {
			w.Header().Del("Date") // the store's own follows
			next(w, c)
			return
		}
		for _, name := range []string{"If-Modified-Since", "If-Unmodified-Since"} {
			shiftHeader(c.Header, name, -skew)
		}
		dated := &headerEditor{ResponseWriter: w, edit: func(_ int, h http.Header) {
			h.Set("Date", now.Format(http.TimeFormat))
			shiftHeader(h, "Last-Modified", skew)
		}}
		if !tellsTimes(c) {
			next(dated, c)
			return
		}
		rec := ask(c, next)
		reply(dated, rec, timeElement.ReplaceAllFunc(rec.Body.Bytes(), func(element []byte) []byte {
			parts := timeElement.FindSubmatch(element)
			at, err := time.Parse(time.RFC3339, string(parts[2]))
			if err != nil {
				return element
			}
			return fmt.Appendf(nil, "%s%s</", parts[1], at.Add(skew).Format("2006-01-02T15:04:05.000Z"))
		}))
	}
}

var timeElement = regexp.MustCompile(`(<(?:LastModified|Initiated)>)([^<]*)</`)

// tellsTimes reports whether the answer to c has times of the store's in its body.
func tellsTimes(c call) bool {
	switch c.op {
	case "ListObjects", "ListObjectsV2", "ListMultipartUploads", "ListParts", "CopyObject", "UploadPartCopy":
		return true
	}
	return false
}

func shiftHeader(h http.Header, name string, by time.Duration) {
	if at, err := http.ParseTime(h.Get(name)); err == nil {
		h.Set(name, at.Add(by).UTC().Format(http.TimeFormat))
	}
}
