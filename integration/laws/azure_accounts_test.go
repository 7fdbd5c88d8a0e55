package laws_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"github.com/blobdock/blobdock/integration/laws"
)

// deleteBatch deletes blobs in one request, and returns what became of each.
func (c azureClient) deleteBatch(t *testing.T, keys ...string) []error {
	t.Helper()
	batch, err := c.NewBatchBuilder()
	wantAzure(t, "batch", err, "")
	for _, key := range keys {
		wantAzure(t, "batch", batch.Delete(key, nil), "")
	}
	out, err := c.SubmitBatch(t.Context(), batch, nil)
	wantAzure(t, "batch", err, "")
	results := make([]error, len(keys))
	for _, r := range out.Responses {
		results[*r.ContentID] = r.Error
	}
	return results
}

func azureSoftDelete(t *testing.T) {
	c := newAzureClient(t, laws.Options{}, "azure-soft-delete")
	ctx := t.Context()
	c.put(t, "a", "0123", nil)
	c.counted(t, "new blob", 0)
	c.put(t, "a", "01", nil)
	c.counted(t, "overwritten by Put Blob", 4)
	a := c.NewBlockBlobClient("a")
	_, err := a.StageBlock(ctx, blockID, body("0123"), nil)
	wantAzure(t, "block", err, "")
	_, err = a.CommitBlockList(ctx, []string{blockID}, nil)
	wantAzure(t, "block list", err, "")
	c.counted(t, "overwritten by Put Block List", 6)
	_, err = a.Upload(ctx, body("0"), &blockblob.UploadOptions{AccessConditions: conditions("", true)})
	wantAzure(t, "refused put", err, bloberror.BlobAlreadyExists)
	c.counted(t, "a refused put", 6)
	_, err = a.Delete(ctx, nil)
	wantAzure(t, "delete", err, "")
	c.counted(t, "deleted", 10)
	c.put(t, "b", "0", nil)
	c.put(t, "c/c", "01", nil)
	c.deleteBatch(t, "b", "absent", "c/c")
	c.counted(t, "deleted in a batch", 13)
	if names := c.names(t); len(names) > 0 {
		t.Errorf("%v are there after the batch", names)
	}
}

func azureEarlyDeletion(t *testing.T) {
	c := newAzureClient(t, laws.Options{}, "azure-early-deletion")
	put := func(key, data string, tier blob.AccessTier) {
		c.put(t, key, data, &blockblob.UploadOptions{Tier: &tier})
	}
	put("hot", "0123", blob.AccessTierHot)
	put("cool", "01", blob.AccessTierCool)
	put("cold", "012", blob.AccessTierCold)
	c.put(t, "hot", "", nil)
	c.counted(t, "overwritten in Hot", 0)
	put("cool", "0", blob.AccessTierHot)
	c.counted(t, "overwritten in Cool", 2)
	put("cool", "", blob.AccessTierHot)
	c.deleteBatch(t, "hot", "cold")
	c.counted(t, "deleted in Cold", 5)
}

func azureUncommitted(t *testing.T) {
	c := newAzureClient(t, laws.Options{}, "uncommitted-blocks")
	ctx := t.Context()
	k := c.NewBlockBlobClient("k")
	stage := func(id, data string) {
		_, err := k.StageBlock(ctx, id, body(data), nil)
		wantAzure(t, "block", err, "")
	}
	stage("MDAw", "0123")
	stage("MDAx", "01")
	c.counted(t, "two blocks", 6)
	stage("MDAx", "0")
	c.counted(t, "one of them again", 5)
	_, err := k.CommitBlockList(ctx, []string{"bm9u"}, nil)
	wantAzure(t, "block list with an unknown block", err, bloberror.InvalidBlockList)
	c.counted(t, "a refused commit", 5)
	_, err = k.CommitBlockList(ctx, []string{"MDAw"}, nil)
	wantAzure(t, "block list", err, "")
	c.counted(t, "a commit", 0)
	_, err = c.NewBlockBlobClient("copy").StageBlockFromURL(ctx, blockID, c.url(t, "k", nil), &blockblob.StageBlockFromURLOptions{Range: blob.HTTPRange{Offset: 1}})
	wantAzure(t, "block from URL", err, "")
	c.counted(t, "a block from a URL", 3)
	c.put(t, "copy", "0", nil)
	c.counted(t, "a put at the same name", 0)
}

func azureFolders(t *testing.T) {
	c := newAzureClient(t, laws.Options{}, "folder-placeholders")
	ctx := t.Context()
	c.put(t, "top", "", nil)
	c.put(t, "a/b/c", "0123", nil)
	_, err := c.NewBlockBlobClient("x/k").Upload(ctx, body("0"), &blockblob.UploadOptions{AccessConditions: conditions(azcore.ETag(`"0x1"`), false)})
	wantAzure(t, "refused put", err, bloberror.ConditionNotMet)

	listed := func(delimiter string) string {
		var names []string
		note := func(blobs []*container.BlobItem) {
			for _, b := range blobs {
				names = append(names, *b.Name+":"+*b.Properties.ResourceType)
			}
		}
		if delimiter == "" {
			page, err := c.NewListBlobsFlatPager(nil).NextPage(ctx)
			wantAzure(t, "list", err, "")
			note(page.Segment.BlobItems)
		} else {
			page, err := c.NewListBlobsHierarchyPager(delimiter, nil).NextPage(ctx)
			wantAzure(t, "list", err, "")
			note(page.Segment.BlobItems)
			for _, p := range page.Segment.BlobPrefixes {
				names = append(names, *p.Name)
			}
		}
		slices.Sort(names)
		return strings.Join(names, " ")
	}
	if got, want := listed(""), "a/b/c:file a/b:directory a:directory top:file"; got != want {
		t.Errorf("listed: %s, want %s", got, want)
	}
	if got, want := listed("/"), "a/ a:directory top:file"; got != want {
		t.Errorf("listed by folder: %s, want %s", got, want)
	}
	page, err := c.NewListBlobsFlatPager(&container.ListBlobsFlatOptions{Include: container.ListBlobsInclude{Metadata: true}, MaxResults: to.Ptr[int32](1)}).NextPage(ctx)
	wantAzure(t, "list", err, "")
	if m := page.Segment.BlobItems[0].Metadata; m["hdi_isfolder"] == nil || *m["hdi_isfolder"] != "true" {
		t.Errorf("metadata of the first blob: %v, want hdi_isfolder", m)
	}

	_, err = c.NewBlobClient("a/b").Delete(ctx, nil)
	wantAzure(t, "delete of a directory with a blob", err, "DirectoryIsNotEmpty")
	c.deleteBatch(t, "a/b/c")
	if got, want := listed(""), "a/b:directory a:directory top:file"; got != want {
		t.Errorf("listed after the deletion: %s, want %s", got, want)
	}
	_, err = c.NewBlobClient("a/b").Delete(ctx, nil)
	wantAzure(t, "delete of an empty directory", err, "")
	c.put(t, "a/b/c", "0123", nil)
	c.stored(t, "a/b", blob.BlobTypeBlockBlob, 0)
	c.refused(t, 1)
}
