package laws

import (
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/blobdock/blobdock/integration/emulator"
	"github.com/blobdock/blobdock/integration/wire"
)

// S3 starts a proxy before s that enforces the laws and sets with these names, for the
// time of the test, and returns s as seen through it.
func S3(tb testing.TB, s emulator.S3, o Options, names ...string) (emulator.S3, *Enforcer) {
	tb.Helper()
	laws, err := Select(StoreS3, names...)
	if err != nil {
		tb.Fatal(err)
	}
	e := newEnforcer(o, laws, logTo(tb))
	e.s3, e.s3Client, e.classes = s, clientS3(s), newClassBook()
	if e.enforces("etag-opaque") && s.KMSKey == "" {
		tb.Fatal("law etag-opaque: no key of the server's is known: set BLOBDOCK_S3_KMS_KEY")
	}
	through, proxy := wire.S3(tb, s)
	if e.enforces("virtual-host") {
		// A bucket's name can stand before a name, not before an address. A client that
		// can't resolve such names takes the address for its HTTP proxy.
		through.Endpoint = "http://localhost:" + port(tb, through.Endpoint)
	}
	var outer, inner func(handler) handler
	if slices.ContainsFunc(laws, func(l Law) bool { return l.rewrites }) {
		outer, inner = e.openS3, e.sealS3
	}
	proxy.Intercept(e.around(describeS3, outer, inner))
	return through, e
}

func port(tb testing.TB, endpoint string) string {
	tb.Helper()
	u, err := url.Parse(endpoint)
	if err != nil {
		tb.Fatal(err)
	}
	return u.Port()
}

// enforces reports whether the law with this name is switched on.
func (e *Enforcer) enforces(name string) bool {
	return slices.ContainsFunc(e.laws, func(l Law) bool { return l.Name == name })
}

// describeS3 names what a path-style request does.
func describeS3(r *http.Request) call {
	bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	return call{Request: r, op: wire.OperationS3(r), bucket: bucket, key: key}
}

// object is the bucket's and key's name together, under which laws keep state.
func (c call) object() string { return c.bucket + "/" + c.key }

// writesS3 reports whether c replaces or removes the object at its key. Parts of uploads
// don't.
func writesS3(c call) bool {
	switch c.op {
	case "PutObject", "CopyObject", "CompleteMultipartUpload", "DeleteObject":
		return true
	}
	return false
}

// conditionalS3 reports whether c writes on a condition about the object at its key.
func conditionalS3(c call) bool {
	return writesS3(c) && (c.Header.Get("If-Match") != "" || c.Header.Get("If-None-Match") != "")
}

// refuseS3 answers with an error document of S3's, and records it.
func (e rule) refuseS3(w http.ResponseWriter, c call, status int, code, message string) {
	e.record(c, status, code)
	writeErrorS3(w, c, status, code, message)
}

// writeErrorS3 answers with an error document. HEAD has none.
// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
func writeErrorS3(w http.ResponseWriter, c call, status int, code, message string) {
	drain(w, c)
	h := w.Header()
	h.Set("X-Amz-Request-Id", "BLOBDOCKLAWS")
	if c.Method == http.MethodHead {
		withReason(w, status, reasonS3(code, status), h)
		return
	}
	h.Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	_, _ = w.Write(errorS3(c, code, message))
}

// drain reads the rest of a request's body. A client that is answered while it sends may
// take the answer for a broken connection.
func drain(w http.ResponseWriter, c call) {
	if c.Body == nil {
		return
	}
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(time.Second)) // a recorder has none
	_, _ = io.Copy(io.Discard, c.Body)
	_ = control.SetReadDeadline(time.Time{})
}

// errorS3 is the document itself.
func errorS3(c call, code, message string) []byte {
	var doc struct {
		XMLName                 xml.Name `xml:"Error"`
		Code, Message, Resource string
		RequestID               string `xml:"RequestId"`
		Condition               string `xml:",omitempty"`
	}
	doc.Code, doc.Message, doc.Resource, doc.RequestID = code, message, "/"+c.object(), "BLOBDOCKLAWS"
	if code == "PreconditionFailed" {
		for _, name := range []string{"If-None-Match", "If-Match"} {
			if c.Header.Get(name) != "" {
				doc.Condition = name
			}
		}
	}
	body, err := xml.Marshal(doc)
	if err != nil {
		return []byte(fmt.Sprintf("<Error><Code>%s</Code></Error>", code))
	}
	return append([]byte(xml.Header), body...)
}

// reasonS3 is the reason phrase, which alone tells a failed HEAD's code: "503 Slow Down".
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html
func reasonS3(code string, status int) string {
	if code == "SlowDown" {
		return "Slow Down"
	}
	return http.StatusText(status)
}
