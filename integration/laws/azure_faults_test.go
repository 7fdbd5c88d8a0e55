package laws_test

import (
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"

	"github.com/blobdock/blobdock/integration/laws"
)

// azureFails proves a fault with an error of the service's.
func azureFails(status int, code bloberror.Code) func(*testing.T) {
	return func(t *testing.T) {
		azureFault(t, func(t *testing.T, what string, err error) {
			wantAzure(t, what, err, code)
			wantStatus(t, what, err, status)
		})
	}
}

func azureReset(t *testing.T) {
	azureFault(t, func(t *testing.T, what string, err error) {
		if err == nil || bloberror.HasCode(err, bloberror.InternalError) {
			t.Errorf("%s: %v, want a broken connection", what, err)
		}
	})
}

// azureFault lets the first request to each key fail, unexecuted and executed.
func azureFault(t *testing.T, failed func(t *testing.T, what string, err error)) {
	law := t.Name()[len("TestLaws/"):]
	for _, after := range []bool{false, true} {
		c := newAzureClient(t, laws.Options{Faults: map[string]laws.Faults{law: {First: 1, After: after}}}, law)
		ctx := t.Context()
		_, err := c.NewBlockBlobClient("put").Upload(ctx, body("0123"), nil)
		failed(t, "put", err)
		if after {
			c.stored(t, "put", blob.BlobTypeBlockBlob, 4)
		} else {
			c.absent(t, "put")
		}
		_, err = c.NewBlobClient("head").GetProperties(ctx, nil)
		failed(t, "head", err)
		c.put(t, "put", "01234", nil)
		_, err = c.NewBlobClient("head").GetProperties(ctx, nil)
		wantAzure(t, "head", err, bloberror.BlobNotFound)
		c.refused(t, 2)
	}
	c := newAzureClient(t, laws.Options{}, law)
	c.put(t, "put", "0123", nil)
	c.refused(t, 0)
}
