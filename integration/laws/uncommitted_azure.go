package laws

import (
	"net/http"
	"sync"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
)

// uncommittedBlocks keeps the number of bytes in uncommitted blocks: they are billed until
// a week after the last of them. Bytes tells those that there are now.
func uncommittedBlocks(r rule) enforcement {
	var mu sync.Mutex
	blocks := make(map[blobName]map[string]int64) // by block id
	staged := func(b blobName, id string, n int64) {
		mu.Lock()
		defer mu.Unlock()
		if blocks[b] == nil {
			blocks[b] = make(map[string]int64)
		}
		r.account(n - blocks[b][id])
		blocks[b][id] = n
	}
	dropped := func(b blobName) {
		mu.Lock()
		defer mu.Unlock()
		for _, n := range blocks[b] {
			r.account(-n)
		}
		delete(blocks, b)
	}
	emptied := func(container string) {
		mu.Lock()
		var gone []blobName
		for b := range blocks {
			if b.container == container {
				gone = append(gone, b)
			}
		}
		mu.Unlock()
		for _, b := range gone {
			dropped(b)
		}
	}
	return func(w http.ResponseWriter, c call, next handler) {
		id := c.URL.Query().Get("blockid")
		switch {
		case c.op == "Put Block":
			onSuccess(w, c, next, func() { staged(c.blob(), id, c.ContentLength) })
		case c.op == "Put Block From URL":
			onSuccess(w, c, next, func() { staged(c.blob(), id, r.blockSize(c, id)) })
		case commitsBlob(c.op): // blocks that a commit doesn't name are gone, too
			onSuccess(w, c, next, func() { dropped(c.blob()) })
		case c.op == "Delete Container":
			onSuccess(w, c, next, func() { emptied(c.bucket) })
		default:
			next(w, c)
		}
	}
}

// blockSize asks the store for the size of an uncommitted block.
func (e rule) blockSize(c call, id string) int64 {
	client, err := e.azureContainer(c.bucket)
	if err != nil {
		return 0
	}
	list, err := client.NewBlockBlobClient(c.key).GetBlockList(c.Context(), blockblob.BlockListTypeUncommitted, nil)
	if err != nil {
		e.logf("blocks of %v: %v", c.blob(), err)
		return 0
	}
	for _, b := range list.UncommittedBlocks {
		if b.Name != nil && *b.Name == id && b.Size != nil {
			return *b.Size
		}
	}
	return 0
}
