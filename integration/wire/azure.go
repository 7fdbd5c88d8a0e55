package wire

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/blobdock/blobdock/integration/emulator"
)

// Azure starts a proxy before a, for the time of the test, and returns a as seen
// through it.
func Azure(tb testing.TB, a emulator.Azure) (emulator.Azure, *Proxy) {
	tb.Helper()
	behind, err := url.Parse(a.Endpoint)
	if err != nil {
		tb.Fatal(err)
	}
	account := behind.Path
	behind.Path = ""
	p := forTest(tb, behind.String(), protocolAzure(behind))
	a.Endpoint = p.URL + account
	return a, p
}

// protocolAzure is that of a service at behind, which has no path.
func protocolAzure(behind *url.URL) protocol {
	return protocol{
		operation: OperationAzure,
		copied:    func(op string, r *http.Request) int64 { return copiedAzure(behind, op, r) },
		foreign:   readsSource,
		keepHost:  true,
	}
}

// readsSource tells what Azurite itself sends: it reads the source of a copy at
// the URL that it was given, and so through the proxy.
func readsSource(r *http.Request) bool { return strings.HasPrefix(r.UserAgent(), "axios/") }

// copiedAzure is how many bytes the store will copy for a request.
func copiedAzure(behind *url.URL, op string, r *http.Request) int64 {
	switch op {
	case "Put Block From URL":
		if n, ok := lengthOf(r.Header.Get("X-Ms-Source-Range")); ok {
			return n
		}
	case "Copy Blob From URL", "Copy Blob", "Put Blob From URL":
	default:
		return 0
	}
	source, err := url.Parse(r.Header.Get("X-Ms-Copy-Source"))
	if err != nil {
		return 0
	}
	// The source is signed, for whatever host.
	source.Host = behind.Host
	req, err := http.NewRequestWithContext(r.Context(), http.MethodHead, source.String(), nil)
	if err != nil {
		return 0
	}
	return sizeOf(req)
}
