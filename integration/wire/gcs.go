package wire

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/blobdock/blobdock/integration/emulator"
)

// GCS starts a proxy before g, for the time of the test, and returns g as seen
// through it.
func GCS(tb testing.TB, g emulator.GCS) (emulator.GCS, *Proxy) {
	tb.Helper()
	p := forTest(tb, g.Endpoint, protocolGCS(g))
	g.Endpoint = p.URL
	return g, p
}

func protocolGCS(behind emulator.GCS) protocol {
	return protocol{
		operation: OperationGCS,
		copied:    func(op string, r *http.Request) int64 { return copiedGCS(behind, op, r) },
		// fake-gcs-server tells reads by the XML API by its own host.
		keepHost: false,
	}
}

// copiedGCS is how many bytes g will copy for a request. To compose copies none:
// the new object refers to what its sources are made of.
// https://cloud.google.com/storage/docs/composite-objects
func copiedGCS(g emulator.GCS, op string, r *http.Request) int64 {
	if op != "objects.rewrite" && op != "objects.copy" || r.URL.Query().Has("rewriteToken") {
		return 0 // or it goes on with what has been counted
	}
	source, _, _ := strings.Cut(r.URL.EscapedPath(), "/rewriteTo/")
	source, _, _ = strings.Cut(source, "/copyTo/")
	req, err := http.NewRequestWithContext(r.Context(), http.MethodGet, g.Endpoint+source, nil)
	if err != nil {
		return 0
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0
	}
	defer res.Body.Close()
	var object struct {
		Size int64 `json:",string"`
	}
	if err := json.NewDecoder(res.Body).Decode(&object); err != nil {
		return 0
	}
	return object.Size
}
