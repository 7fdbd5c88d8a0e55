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
	return func(w http.ResponseWriter, c call, next handler) {
		switch {
		case c.op == "Put Block" || c.op == "Put Block From URL":
			id, n := c.URL.Query().Get("blockid"), c.ContentLength
			if r.succeeds(w, c, next) {
				if c.op == "Put Block From URL" {
					n = r.blockSize(c, id)
				}
				staged(c.blob(), id, n)
			}
		case commitsBlob(c.op): // what a commit doesn't name is gone, too
			if r.succeeds(w, c, next) {
				dropped(c.blob())
			}
		case c.op == "Delete Container":
			if r.succeeds(w, c, next) {
				mu.Lock()
				var gone []blobName
				for b := range blocks {
					if b.container == c.bucket {
						gone = append(gone, b)
					}
				}
				mu.Unlock()
				for _, b := range gone {
					dropped(b)
				}
			}
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
