package integration_test

import (
	"testing"

	"github.com/blobdock/blobdock/azure"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/drivertest"
	"github.com/blobdock/blobdock/integration/emulator"
	"github.com/blobdock/blobdock/integration/wire"
)

func openAzure(t testing.TB, a emulator.Azure, container string) driver.Bucket {
	t.Helper()
	b, err := azure.Open(t.Context(), azure.Config{Container: container, Endpoint: a.Endpoint, Account: a.Account, Key: a.Key})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

// azureExceptions are what Azure's blocks can't do in one request. They belong to
// a blob's name and not to an upload: nothing has to begin before they are sent,
// any commit at the name drops all that it doesn't name, and nobody can ask for
// that without a commit.
var azureExceptions = map[string]string{
	"bucket-not-key/create-upload": "CreateUpload makes no request; the first part tells",
	"complete-by-etag/replaced":    "a part's ETag names its block, and the replaced block is still there: what is named is what is stored",
	"complete-consumes":            "Put Block asks for no upload, and a commit takes along the parts of all uploads to the key",
	"copy-part/completed":          "Put Block From URL asks for no upload",
	"key-bytes/backslash":          "Azure takes it for a slash",
	"key-bytes/utf-16":             "Azurite sorts by UTF-16 units",
	"model/uploads":                "the same",
	"sign/part":                    "the reply to Put Block has nothing that names the part",
	"upload-invisible/overwritten": "a Put drops the parts that wait at its key",
	"upload-list":                  "a listing tells the key of parts, not their upload; uploads without parts don't exist",
}

// onAzurite is the conformance suite's way to containers of Azurite, counted.
func onAzurite(t *testing.T) drivertest.Harness {
	t.Helper()
	a, proxy := wire.Azure(t, emulator.StartAzure(t))
	return drivertest.Harness{
		Name:    "azure",
		New:     func(t testing.TB) driver.Bucket { return openAzure(t, a, a.NewContainer(t)) },
		Missing: func(t testing.TB) driver.Bucket { return openAzure(t, a, "blobdock-no-such-container") },
		Golden:  "testdata", Requests: func() int64 { return int64(proxy.Counts().Requests()) }, Exceptions: azureExceptions,
		// Without a folder of the upload's own an abort has nothing to ask for.
		Costs: map[driver.Op]int64{driver.OpCreateUpload: 0, driver.OpAbortUpload: 0},
	}
}

// TestAzure runs the conformance suite of blobdock's own contract.
func TestAzure(t *testing.T) {
	drivertest.Run(t, onAzurite(t))
}

// TestAzureWrapped runs it through every wrapper.
func TestAzureWrapped(t *testing.T) {
	drivertest.RunWrapped(t, onAzurite(t))
}
