package laws

import (
	"bytes"
	"cmp"
	"encoding/xml"
	"net/http"
	"slices"
)

// answersLate reports whether S3 begins to answer c before its result is known.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html
func answersLate(c call) bool {
	switch c.op {
	case "CompleteMultipartUpload", "CopyObject", "UploadPartCopy":
		return true
	}
	return false
}

// keepAliveSpace sends white space before results, in an answer without a length.
func keepAliveSpace(r rule) enforcement {
	space := []byte(" \n \n")
	return func(w http.ResponseWriter, c call, next handler) {
		if !answersLate(c) {
			next(w, c)
			return
		}
		rec := ask(c, next)
		body := rec.Body.Bytes()
		if rec.Code != http.StatusOK || len(body) == 0 {
			reply(w, rec, nil)
			return
		}
		rec.Header().Del("Content-Length")
		if r.options.S3.SpaceBehindDeclaration {
			body = slices.Concat([]byte(xml.Header), space, bytes.TrimPrefix(body, []byte(xml.Header)))
		} else {
			body = slices.Concat(space, body)
		}
		rec.Body = bytes.NewBuffer(body)
		reply(w, rec, nil)
	}
}

// lateError answers 200, and then tells of an error.
func lateError(r rule) enforcement {
	return r.failLate(func(c call) (body []byte, code string) {
		code = cmp.Or(r.options.S3.LateCode, "InternalError")
		return errorS3(c, code, "We encountered an internal error. Please try again."), code
	})
}

// emptyResult answers 200, and then nothing.
func emptyResult(r rule) enforcement {
	return r.failLate(func(call) (body []byte, code string) { return nil, "empty" })
}

// blankResult answers 200, and then white space only.
func blankResult(r rule) enforcement {
	return r.failLate(func(call) (body []byte, code string) { return []byte(" \n \n"), "blank" })
}

// failLate answers 200 and a body that is no result to the requests that the law
// strikes. A request that the store refuses has the store's answer.
func (e rule) failLate(of func(call) (body []byte, code string)) enforcement {
	return func(w http.ResponseWriter, c call, next handler) {
		if !answersLate(c) || !e.strikes(c) {
			next(w, c)
			return
		}
		if e.options.Faults[e.law].After {
			if rec := ask(c, next); rec.Code != http.StatusOK {
				reply(w, rec, nil)
				return
			}
		}
		body, code := of(c)
		e.record(c, http.StatusOK, code)
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(http.StatusOK)
		_, _ = w.Write(body)
	}
}
