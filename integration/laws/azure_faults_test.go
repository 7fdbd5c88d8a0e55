package laws_test

import (
	"slices"
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

// azureBatchBusy lets one deletion of a batch fail, unexecuted and executed.
func azureBatchBusy(t *testing.T) {
	for _, after := range []bool{false, true} {
		c := newAzureClient(t, laws.Options{Faults: map[string]laws.Faults{"azure-batch-busy": {Total: 1, After: after}}}, "azure-batch-busy")
		keys, want := []string{"a/0", "a/1", "b"}, []string{"a/0"}
		for _, key := range keys {
			c.put(t, key, "0", nil)
		}
		if after {
			want = nil
		}
		results := c.deleteBatch(t, keys...)
		wantAzure(t, "the first of a batch", results[0], bloberror.ServerBusy)
		wantAzure(t, "the second of a batch", results[1], "")
		wantAzure(t, "the third of a batch", results[2], "")
		if got := c.names(t); !slices.Equal(got, want) {
			t.Errorf("after the batch: %v, want %v", got, want)
		}
		results = c.deleteBatch(t, "a/0")
		if after {
			wantAzure(t, "a batch once more", results[0], bloberror.BlobNotFound)
		} else {
			wantAzure(t, "a batch once more", results[0], "")
		}
		c.refused(t, 1)
	}
}
