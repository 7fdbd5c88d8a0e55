package laws

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/blobdock/blobdock/integration/emulator"
	"github.com/blobdock/blobdock/integration/wire"
)

// GCS starts a proxy before g that enforces the laws and sets with these names, for the
// time of the test, and returns g as seen through it.
func GCS(tb testing.TB, g emulator.GCS, o Options, names ...string) (emulator.GCS, *Enforcer) {
	tb.Helper()
	laws, err := Select(StoreGCS, names...)
	if err != nil {
		tb.Fatal(err)
	}
	e := newEnforcer(o, laws, logTo(tb))
	e.gcs = g
	through, proxy := wire.GCS(tb, g)
	s := &e.onGCS
	proxy.Intercept(e.around(s.describe, func(laws handler) handler {
		return s.apart(s.follow(s.exclusive(laws)))
	}, nil))
	return through, e
}

// describe is describeGCS with the names of uploads that go on.
func (s *gcsState) describe(r *http.Request) call {
	c := describeGCS(r)
	if up, ok := s.sessions.find(r.URL.Query().Get("upload_id")); ok {
		c.bucket, c.key = up.bucket, up.key
	}
	return c
}

// describeGCS names what a request of either API does. The key is the name of the object
// that the call reads or changes: the destination of a copy.
func describeGCS(r *http.Request) call {
	c := call{Request: r, op: wire.OperationGCS(r)}
	names := namesGCS(r)
	switch {
	case names[0] == "batch":
	case names[0] != "storage": // the XML API
		c.bucket, c.key = names[0], strings.Join(names[1:], "/")
	case len(names) > 3:
		c.bucket = names[3]
		switch c.op {
		case "objects.insert":
			if c.key = r.URL.Query().Get("name"); c.key == "" {
				c.key = nameInBody(r)
			}
		case "objects.rewrite", "objects.copy":
			if len(names) > 10 {
				c.bucket, c.key = names[8], names[10]
			}
		case "objects.move":
			if len(names) > 8 {
				c.key = names[8]
			}
		default:
			if len(names) > 5 {
				c.key = names[5]
			}
		}
	}
	return c
}

// namesGCS is the path of a request, taken apart. In the JSON API that is
//
//	storage v1 b <bucket> o <object>
//	storage v1 b <bucket> o <object> compose
//	storage v1 b <bucket> o <source> rewriteTo b <bucket> o <destination>
//	storage v1 b <bucket> o <source> moveTo o <destination>
func namesGCS(r *http.Request) []string {
	names := strings.Split(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "/")
	for i := range names {
		names[i], _ = url.PathUnescape(names[i])
	}
	if names[0] == "upload" || names[0] == "download" {
		names = names[1:]
	}
	return names
}

// refuseGCS answers with an error document of the API that the call uses.
// https://cloud.google.com/storage/docs/json_api/v1/status-codes
// https://cloud.google.com/storage/docs/xml-api/reference-status
func (e rule) refuseGCS(w http.ResponseWriter, c call, status int, reason, message string) {
	e.record(c, status, reason)
	if status == http.StatusNotModified || c.Method == http.MethodHead {
		w.WriteHeader(status)
		return
	}
	if isXML(c) {
		w.Header().Set("Content-Type", "application/xml; charset=UTF-8")
		w.WriteHeader(status)
		_, _ = fmt.Fprintf(w, "<?xml version='1.0' encoding='UTF-8'?><Error><Code>%s</Code><Message>%s</Message></Error>", codeXML(reason), message)
		return
	}
	domain := "global"
	if reason == "rateLimitExceeded" {
		domain = "usageLimits"
	}
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{
		"code": status, "message": message,
		"errors": []any{map[string]any{"domain": domain, "reason": reason, "message": message}},
	}})
}

// isXML tells calls of the XML API from those of the JSON API.
func isXML(c call) bool {
	return strings.HasSuffix(c.op, " Object") || strings.HasSuffix(c.op, " Bucket")
}

// codeXML is the XML API's code for a reason of the JSON API.
func codeXML(reason string) string {
	switch reason {
	case "conditionNotMet":
		return "PreconditionFailed"
	case "rateLimitExceeded":
		return "SlowDown"
	case "backendError":
		return "ServiceUnavailable"
	case "notFound":
		return "NoSuchKey"
	default:
		return strings.ToUpper(reason[:1]) + reason[1:]
	}
}
