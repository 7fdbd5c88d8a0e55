package laws

import (
	"fmt"
	"html"
	"net/http"
	"strings"
	"testing"

	"github.com/blobdock/blobdock/integration/emulator"
	"github.com/blobdock/blobdock/integration/wire"
)

// Azure starts a proxy before a that enforces the laws and sets with these names, for the
// time of the test, and returns a as seen through it.
func Azure(tb testing.TB, a emulator.Azure, o Options, names ...string) (emulator.Azure, *Enforcer) {
	tb.Helper()
	laws, err := Select(StoreAzure, names...)
	if err != nil {
		tb.Fatal(err)
	}
	e := newEnforcer(o, laws, logTo(tb))
	e.azure = a
	through, proxy := wire.Azure(tb, a)
	proxy.Intercept(e.around(describeAzure, nil, nil))
	return through, e
}

// describeAzure names what a request does that has the account in its path.
func describeAzure(r *http.Request) call {
	c := call{Request: r, op: wire.OperationAzure(r)}
	names := strings.SplitN(strings.TrimPrefix(r.URL.Path, "/"), "/", 3)
	if len(names) > 1 {
		c.bucket = names[1]
	}
	if len(names) > 2 {
		c.key = names[2]
	}
	return c
}

// refuseAzure answers with an error document of the blob service's.
// https://learn.microsoft.com/en-us/rest/api/storageservices/status-and-error-codes2
func (e rule) refuseAzure(w http.ResponseWriter, c call, status int, code, message string) {
	e.record(c, status, code)
	answerAzure(w, c, status, code, message)
}

// answerAzure writes an error document.
func answerAzure(w http.ResponseWriter, c call, status int, code, message string) {
	h := w.Header()
	h.Set("X-Ms-Error-Code", code)
	h.Set("X-Ms-Request-Id", "00000000-0000-0000-0000-000000000000")
	if c.Method == http.MethodHead {
		w.WriteHeader(status)
		return
	}
	h.Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, "\ufeff<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>%s</Code><Message>%s</Message></Error>", code, html.EscapeString(message))
}
