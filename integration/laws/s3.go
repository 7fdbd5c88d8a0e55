package laws

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

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
	e.s3 = s
	through, proxy := wire.S3(tb, s)
	proxy.Intercept(e.around(describeS3, nil, nil))
	return through, e
}

// describeS3 names what a path-style request does.
func describeS3(r *http.Request) call {
	bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	return call{Request: r, op: wire.OperationS3(r), bucket: bucket, key: key}
}

// refuseS3 answers with an error document of S3's.
// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
func (e rule) refuseS3(w http.ResponseWriter, c call, status int, code, message string) {
	e.record(c, status, code)
	h := w.Header()
	h.Set("X-Amz-Request-Id", "BLOBDOCKLAWS")
	if c.Method == http.MethodHead {
		withReason(w, status, reasonS3(code, status), h)
		return
	}
	h.Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>%s</Code><Message>%s</Message><Resource>/%s/%s</Resource></Error>", code, message, c.bucket, c.key)
}

// reasonS3 is all that tells a failed HEAD's code: "503 Slow Down".
func reasonS3(code string, status int) string {
	if code == "SlowDown" {
		return "Slow Down"
	}
	return http.StatusText(status)
}
