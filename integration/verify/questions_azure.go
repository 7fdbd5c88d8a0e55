package verify

import (
	"context"
	"fmt"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"github.com/blobdock/blobdock/driver"
)

// azureAsker puts questions to Azure Blob Storage, by the SDK's own client where the
// driver would not ask.
type azureAsker struct {
	*asker
	client *container.Client
}

func (a azureAsker) questions() []question {
	all := a.allQuestions("different")
	all = append(all, a.clock(func(ctx context.Context, key string) error {
		_, err := a.client.NewBlobClient(a.full(key)).GetProperties(ctx, nil)
		return err
	}))
	for _, w := range a.driverWrites() {
		all = append(all, w.questions(a.asker)...)
	}
	all = append(all,
		a.deleteIf("What does If-Match do on Delete Blob?", honoured, a.deleteMatching),
		question{"append-put-blob", "Can Put Blob replace an append blob?", accepted, a.overAppend(a.putBlob(driver.Cond{}))},
		question{"append-put-block", "Can Put Block be sent to an append blob?", accepted, a.overAppend(a.putBlock)},
		question{"append-condition-first", "Does Put Blob with If-None-Match: * over an append blob fail by the condition, or by the type?", "", a.conditionOrType},
		question{"put-drops-blocks", "Does Put Blob drop the uncommitted blocks of the name?", "", a.putDropsBlocks},
		question{"api-version", "Does the service know the version that the SDK asks for?", accepted, a.apiVersion},
		question{"soft-delete", "Does a deleted blob stay, to be restored and billed?", "", a.softDelete},
		question{"folder-placeholders", "Does a listing show folders as objects (a hierarchical namespace)?", "no", a.placeholders},
	)
	if a.features.Copy != nil {
		all = append(all, question{"append-copy", "Can Copy Blob From URL replace an append blob?", accepted, a.overAppend(a.copyOver)})
	}
	return all
}

func (a azureAsker) deleteMatching(ctx context.Context, key, etag string) reply {
	return a.call(ctx, func(ctx context.Context) error {
		_, err := a.client.NewBlobClient(a.full(key)).Delete(ctx, &blob.DeleteOptions{
			AccessConditions: &blob.AccessConditions{ModifiedAccessConditions: &blob.ModifiedAccessConditions{IfMatch: to.Ptr(azcore.ETag(etag))}},
		})
		return err
	})
}

// overAppend makes an append blob, as distribution's driver does, and writes over it.
func (a azureAsker) overAppend(send func(ctx context.Context, key string) reply) func(context.Context, string) (finding, error) {
	return func(ctx context.Context, key string) (finding, error) {
		key += "/object"
		r := a.call(ctx, func(ctx context.Context) error {
			_, err := a.client.NewAppendBlobClient(a.full(key)).Create(ctx, nil)
			return err
		})
		if r.err != nil {
			return finding{}, fmt.Errorf("an append blob can't be made: %w", r.failure())
		}
		return send(ctx, key).finding(accepted)
	}
}

func (a azureAsker) putBlob(c driver.Cond) func(ctx context.Context, key string) reply {
	return func(ctx context.Context, key string) reply {
		return a.ask(ctx, func(ctx context.Context) error {
			_, err := a.Put(ctx, key, section([]byte("text")), driver.WriteOptions{Cond: c})
			return err
		})
	}
}

func (a azureAsker) putBlock(ctx context.Context, key string) reply {
	u, _, err := a.upload(ctx, key, []byte("text"))
	if err == nil {
		_ = a.features.Uploads.AbortUpload(ctx, u)
	}
	return replyOf(err)
}

func (a azureAsker) copyOver(ctx context.Context, key string) reply {
	source := key + "-source"
	if _, err := a.put(ctx, source, "text"); err != nil {
		return replyOf(err)
	}
	return a.ask(ctx, func(ctx context.Context) error {
		_, err := a.features.Copy(ctx, driver.CopyRequest{Src: driver.Source{Key: source}, Dst: key})
		return err
	})
}

func (a azureAsker) conditionOrType(ctx context.Context, key string) (finding, error) {
	f, err := a.overAppend(a.putBlob(driver.Cond{IfAbsent: true}))(ctx, key)
	switch {
	case err != nil || f.found != refused:
	case f.code == "InvalidBlobType":
		f.found = "by the type"
	default:
		f.found = "by the condition"
	}
	return f, err
}

// putDropsBlocks sends a block, writes the blob, and looks for the block.
// https://learn.microsoft.com/en-us/rest/api/storageservices/put-block-list
func (a azureAsker) putDropsBlocks(ctx context.Context, key string) (finding, error) {
	key += "/object"
	client := a.client.NewBlockBlobClient(a.full(key))
	const id = "YmxvY2s="
	r := a.call(ctx, func(ctx context.Context) error {
		_, err := client.StageBlock(ctx, id, streaming.NopCloser(section([]byte("block"))), nil)
		return err
	})
	if r.err != nil {
		return finding{}, r.failure()
	}
	if _, err := a.put(ctx, key, "text"); err != nil {
		return finding{}, err
	}
	found := "dropped"
	r = a.call(ctx, func(ctx context.Context) error {
		list, err := client.GetBlockList(ctx, blockblob.BlockListTypeUncommitted, nil)
		if err == nil && len(list.UncommittedBlocks) > 0 {
			found = "kept"
		}
		return err
	})
	return r.finding(found)
}

func (a azureAsker) apiVersion(ctx context.Context, key string) (finding, error) {
	key += "/object"
	if _, err := a.put(ctx, key, "text"); err != nil {
		return finding{}, err
	}
	r := a.call(ctx, func(ctx context.Context) error {
		_, err := a.client.NewBlobClient(a.full(key)).GetProperties(ctx, nil)
		return err
	})
	f, err := r.finding(accepted)
	f.detail = "it answers with " + r.header.Get("X-Ms-Version")
	return f, err
}

// softDelete looks for what it has deleted.
// https://learn.microsoft.com/en-us/azure/storage/blobs/soft-delete-blob-overview
func (a azureAsker) softDelete(ctx context.Context, key string) (finding, error) {
	key += "/object"
	if _, err := a.put(ctx, key, "text"); err != nil {
		return finding{}, err
	}
	if err := a.Delete(ctx, key, driver.DeleteOptions{}); err != nil {
		return finding{}, err
	}
	found := "no"
	r := a.call(ctx, func(ctx context.Context) error {
		page, err := a.client.NewListBlobsFlatPager(&container.ListBlobsFlatOptions{
			Prefix: to.Ptr(a.full(key)), Include: container.ListBlobsInclude{Deleted: true},
		}).NextPage(ctx)
		if err == nil && page.Segment != nil && len(page.Segment.BlobItems) > 0 {
			found = versionsKept
		}
		return err
	})
	return r.finding(found)
}

// placeholders looks for more than it has written.
// https://learn.microsoft.com/en-us/azure/storage/blobs/data-lake-storage-known-issues
func (a azureAsker) placeholders(ctx context.Context, key string) (finding, error) {
	if _, err := a.put(ctx, key+"/folder/object", "text"); err != nil {
		return finding{}, err
	}
	f := finding{found: "no"}
	for e, err := range driver.List(ctx, a, driver.ListRequest{Prefix: key + "/"}) {
		if err != nil {
			return finding{}, err
		}
		if e.Key != key+"/folder/object" {
			f.found, f.detail = "yes", e.Key
		}
	}
	return f, nil
}
