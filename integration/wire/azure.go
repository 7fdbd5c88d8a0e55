package wire

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"

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
	p := forTest(tb, behind.String(), protocolAzure(a, behind))
	a.Endpoint = p.URL + account
	return a, p
}

// protocolAzure is that of the service a at behind, which has no path.
func protocolAzure(a emulator.Azure, behind *url.URL) protocol {
	return protocol{
		operation: OperationAzure,
		copied:    func(op string, r *http.Request) int64 { return copiedAzure(a, behind, op, r) },
		foreign:   readsSource,
		keepHost:  true,
		noExpect:  true,
	}
}

// readsSource tells what Azurite itself sends: it reads the source of a copy at
// the URL that it was given, and so through the proxy.
func readsSource(r *http.Request) bool { return strings.HasPrefix(r.UserAgent(), "axios/") }

// copiedAzure is how many bytes the store will copy for a request.
func copiedAzure(a emulator.Azure, behind *url.URL, op string, r *http.Request) int64 {
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
	source.Scheme, source.Host = behind.Scheme, behind.Host
	if !source.Query().Has("sig") {
		return sizeOfAzure(r.Context(), a, source.String())
	}
	// The source is signed, for whatever host.
	req, err := http.NewRequestWithContext(r.Context(), http.MethodHead, source.String(), nil)
	if err != nil {
		return 0
	}
	return sizeOf(req)
}

// sizeOfAzure is the size of a blob of the account's own. A copy within one account
// needs no signed source: the request's own authorization covers it.
// https://learn.microsoft.com/en-us/rest/api/storageservices/copy-blob
func sizeOfAzure(ctx context.Context, a emulator.Azure, source string) int64 {
	key, err := blob.NewSharedKeyCredential(a.Account, a.Key)
	if err != nil {
		return 0
	}
	c, err := blob.NewClientWithSharedKeyCredential(source, key, nil)
	if err != nil {
		return 0
	}
	p, err := c.GetProperties(ctx, nil)
	if err != nil || p.ContentLength == nil {
		return 0
	}
	return *p.ContentLength
}
