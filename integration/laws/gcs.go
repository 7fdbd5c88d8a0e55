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
	proxy.Intercept(e.around(describeGCS, nil, nil))
	return through, e
}

// describeGCS names what a request of either API does. The key is the name of the object
// that the call reads or changes: a rewrite's destination.
func describeGCS(r *http.Request) call {
	c := call{Request: r, op: wire.OperationGCS(r)}
	names := strings.Split(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "/")
	for i := range names {
		names[i], _ = url.PathUnescape(names[i])
	}
	if names[0] == "upload" || names[0] == "download" {
		names = names[1:]
	}
	switch {
	case names[0] == "batch":
	case names[0] != "storage": // the XML API
		c.bucket, c.key = names[0], strings.Join(names[1:], "/")
	case len(names) > 3: // storage v1 b bucket o object verb b bucket o destination
		c.bucket = names[3]
		if len(names) > 5 {
			c.key = names[5]
		}
		if len(names) > 7 {
			c.key = names[len(names)-1]
		}
		if c.op == "objects.insert" {
			c.key = r.URL.Query().Get("name")
		}
	}
	return c
}

// refuseGCS answers with an error document of the API that the call uses.
// https://cloud.google.com/storage/docs/json_api/v1/status-codes
// https://cloud.google.com/storage/docs/xml-api/reference-status
func (e rule) refuseGCS(w http.ResponseWriter, c call, status int, reason, message string) {
	e.record(c, status, reason)
	if strings.HasSuffix(c.op, " Object") || strings.HasSuffix(c.op, " Bucket") {
		w.Header().Set("Content-Type", "application/xml; charset=UTF-8")
		w.WriteHeader(status)
		_, _ = fmt.Fprintf(w, "<?xml version='1.0' encoding='UTF-8'?><Error><Code>%s</Code><Message>%s</Message></Error>", reason, message)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{
		"code": status, "message": message,
		"errors": []any{map[string]any{"domain": "global", "reason": reason, "message": message}},
	}})
}
