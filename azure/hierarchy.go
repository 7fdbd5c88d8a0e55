package azure

import (
	"context"
	"fmt"
	"log/slog"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"github.com/blobdock/blobdock/driver"
)

// In an account with a hierarchical namespace a folder is a blob without bytes. Listings tell
// what is one by the property ResourceType, which flat accounts don't have; a blob tells it by
// its metadata.
// https://learn.microsoft.com/en-us/rest/api/storageservices/list-blobs
// https://learn.microsoft.com/en-us/azure/storage/blobs/data-lake-storage-known-issues
const (
	directory    = "directory"
	folderMarker = "hdi_isfolder"
)

// isFolder reports whether a listed blob is a folder. The first listing of a hierarchical
// namespace logs a warning.
func (b *Bucket) isFolder(ctx context.Context, p *container.BlobProperties) bool {
	if p == nil || p.ResourceType == nil {
		return false
	}
	b.hierarchy.Do(func() {
		slog.WarnContext(ctx, "the storage account has a hierarchical namespace, which lists in another order than by name: use an account without one",
			"account", b.account, "container", b.container)
	})
	return strings.EqualFold(*p.ResourceType, directory)
}

// placeholder reports whether a blob with the metadata is a folder. Names of metadata come
// back in any case.
func placeholder(m map[string]*string) bool {
	for k, v := range m {
		if strings.EqualFold(k, folderMarker) && strings.EqualFold(value(v), "true") {
			return true
		}
	}
	return false
}

func notAnObject(op driver.Op, key string) error {
	return driver.NewError(op, key, fmt.Errorf("a folder of a hierarchical namespace: %w", driver.NotFound))
}
