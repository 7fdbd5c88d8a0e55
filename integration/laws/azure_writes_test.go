package laws_test

import (
	"errors"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"

	"github.com/blobdock/blobdock/integration/laws"
)

const blockID = "MDAw"

func azureBlobType(t *testing.T) {
	c := newAzureClient(t, laws.Options{}, "blob-type")
	ctx := t.Context()
	c.put(t, "source", "0123", nil)
	c.append(t, "k", "abc")
	k, source := c.NewBlockBlobClient("k"), c.url(t, "source", nil)

	_, err := k.Upload(ctx, body("0"), nil)
	wantAzure(t, "Put Blob", err, bloberror.InvalidBlobType)
	_, err = k.StageBlock(ctx, blockID, body("0"), nil)
	wantAzure(t, "Put Block", err, bloberror.InvalidBlobType)
	_, err = k.StageBlockFromURL(ctx, blockID, source, nil)
	wantAzure(t, "Put Block From URL", err, bloberror.InvalidBlobType)
	_, err = k.CommitBlockList(ctx, nil, nil)
	wantAzure(t, "Put Block List", err, bloberror.InvalidBlobType)
	_, err = k.UploadBlobFromURL(ctx, source, nil)
	wantAzure(t, "Put Blob From URL", err, bloberror.InvalidBlobType)
	_, err = k.CopyFromURL(ctx, source, nil)
	wantAzure(t, "Copy Blob From URL", err, bloberror.InvalidBlobType)
	_, err = k.StartCopyFromURL(ctx, source, nil)
	wantAzure(t, "Copy Blob", err, bloberror.InvalidBlobType)
	_, err = c.NewAppendBlobClient("source").Create(ctx, nil)
	wantAzure(t, "Put Blob of the other type", err, bloberror.InvalidBlobType)
	_, err = c.NewAppendBlobClient("source").AppendBlock(ctx, body("0"), nil)
	wantAzure(t, "Append Block", err, bloberror.InvalidBlobType)
	ifAbsent := conditions("", true)
	_, err = k.Upload(ctx, body("0"), &blockblob.UploadOptions{AccessConditions: ifAbsent})
	wantAzure(t, "Put Blob if absent", err, bloberror.InvalidBlobType)
	c.refused(t, 10)
	c.stored(t, "k", blob.BlobTypeAppendBlob, 3)
	c.stored(t, "source", blob.BlobTypeBlockBlob, 4)

	// All of it passes where the type is right, or nothing is committed.
	_, err = c.NewAppendBlobClient("k").AppendBlock(ctx, body("d"), nil)
	wantAzure(t, "append", err, "")
	c.put(t, "source", "01234", nil)
	_, err = c.NewBlobClient("copy").StartCopyFromURL(ctx, c.url(t, "k", nil), nil)
	wantAzure(t, "copy of an append blob", err, "")
	_, err = c.NewBlobClient("copy").StartCopyFromURL(ctx, c.url(t, "k", nil), nil)
	wantAzure(t, "copy of an append blob over another", err, "")
	_, err = k.Delete(ctx, nil)
	wantAzure(t, "delete", err, "")
	_, err = k.StageBlock(ctx, blockID, body("0"), nil)
	wantAzure(t, "block after the deletion", err, "")
	_, err = k.CommitBlockList(ctx, []string{blockID}, nil)
	wantAzure(t, "block list after the deletion", err, "")
	c.refused(t, 10)

	c = newAzureClient(t, laws.Options{Azure: laws.AzureOptions{ConditionsFirst: true}}, "blob-type")
	c.append(t, "k", "abc")
	k = c.NewBlockBlobClient("k")
	_, err = k.Upload(ctx, body("0"), &blockblob.UploadOptions{AccessConditions: ifAbsent})
	wantAzure(t, "conditions first: if absent", err, bloberror.BlobAlreadyExists)
	_, err = k.Upload(ctx, body("0"), &blockblob.UploadOptions{AccessConditions: conditions(`"0x1"`, false)})
	wantAzure(t, "conditions first: another version", err, bloberror.ConditionNotMet)
	p, err := k.GetProperties(ctx, nil)
	wantAzure(t, "properties", err, "")
	_, err = k.Upload(ctx, body("0"), &blockblob.UploadOptions{AccessConditions: conditions(*p.ETag, false)})
	wantAzure(t, "conditions first: this version", err, bloberror.InvalidBlobType)
	c.refused(t, 1)
}

// conditions are that a blob has an ETag, or that it is absent.
func conditions(etag azcore.ETag, absent bool) *blob.AccessConditions {
	m := &blob.ModifiedAccessConditions{IfMatch: &etag}
	if absent {
		m = &blob.ModifiedAccessConditions{IfNoneMatch: to.Ptr(azcore.ETagAny)}
	}
	return &blob.AccessConditions{ModifiedAccessConditions: m}
}

func azureCopySize(t *testing.T) {
	c := newAzureClient(t, laws.Options{Azure: laws.AzureOptions{CopyFromURLMax: 4}}, "copy-from-url-size")
	ctx := t.Context()
	c.put(t, "4", "0123", nil)
	c.put(t, "5", "01234", nil)
	_, err := c.NewBlobClient("copy").CopyFromURL(ctx, c.url(t, "5", nil), nil)
	wantAzure(t, "5 bytes", err, bloberror.CannotVerifyCopySource)
	var r *azcore.ResponseError
	if !errors.As(err, &r) || r.StatusCode != 409 {
		t.Errorf("5 bytes: %v, want status 409", err)
	}
	c.absent(t, "copy")
	_, err = c.NewBlobClient("copy").CopyFromURL(ctx, c.url(t, "4", nil), nil)
	wantAzure(t, "4 bytes", err, "")
	_, err = c.NewBlobClient("copy").StartCopyFromURL(ctx, c.url(t, "5", nil), nil)
	wantAzure(t, "Copy Blob of 5 bytes", err, "")
	_, err = c.NewBlockBlobClient("copy").StageBlockFromURL(ctx, blockID, c.url(t, "5", nil), nil)
	wantAzure(t, "block of 5 bytes", err, "")
	c.refused(t, 1)
}

func azureCopyType(t *testing.T) {
	c := newAzureClient(t, laws.Options{}, "copy-from-url-type")
	ctx := t.Context()
	c.put(t, "block", "0123", nil)
	c.append(t, "append", "abc")
	_, err := c.NewBlobClient("copy").CopyFromURL(ctx, c.url(t, "append", nil), nil)
	wantAzure(t, "append blob", err, bloberror.CannotVerifyCopySource)
	c.absent(t, "copy")
	_, err = c.NewBlobClient("copy").CopyFromURL(ctx, c.url(t, "block", nil), nil)
	wantAzure(t, "block blob", err, "")
	_, err = c.NewBlockBlobClient("staged").StageBlockFromURL(ctx, blockID, c.url(t, "append", nil), nil)
	wantAzure(t, "block of an append blob", err, "")
	c.refused(t, 1)
}

func azureCopyRange(t *testing.T) {
	c := newAzureClient(t, laws.Options{}, "copy-range-end")
	ctx := t.Context()
	c.put(t, "source", "0123", nil)
	stage := func(c azureClient, off, n int64) error {
		_, err := c.NewBlockBlobClient("k").StageBlockFromURL(ctx, blockID, c.url(t, "source", nil), &blockblob.StageBlockFromURLOptions{Range: blob.HTTPRange{Offset: off, Count: n}})
		return err
	}
	wantAzure(t, "one byte too many", stage(c, 1, 4), bloberror.InvalidRange)
	if _, err := c.behind.NewBlockBlobClient("k").GetBlockList(ctx, blockblob.BlockListTypeAll, nil); !bloberror.HasCode(err, bloberror.BlobNotFound) {
		t.Errorf("blocks: %v, want none", err)
	}
	wantAzure(t, "the last byte", stage(c, 1, 3), "")
	wantAzure(t, "without an end", stage(c, 1, 0), "")
	c.refused(t, 1)

	c = newAzureClient(t, laws.Options{Azure: laws.AzureOptions{CopyRangeTruncates: true}}, "copy-range-end")
	c.put(t, "source", "0123", nil)
	wantAzure(t, "truncated", stage(c, 1, 4), "")
	c.refused(t, 0)
}
