package laws

import (
	"bytes"
	"context"
	"encoding/xml"
	"net/http"
	"strings"
	"sync"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
)

// folders are the directories of an account with a hierarchical namespace. They are
// blobs without bytes that have the metadata hdi_isfolder, and they stay when the last
// blob below them goes.
type folders struct {
	rule
	mu   sync.Mutex
	made map[blobName]bool
}

// folderPlaceholders makes a directory of each path that a blob is written below, and
// tells it from blobs in listings. A listing by "/" has a directory twice: as a blob, and
// as the prefix of the blobs below it.
func folderPlaceholders(r rule) enforcement {
	f := &folders{rule: r, made: make(map[blobName]bool)}
	return func(w http.ResponseWriter, c call, next handler) {
		switch {
		case commitsBlob(c.op):
			onSuccess(w, c, next, func() {
				f.forget(c.blob()) // it is a file from now on
				f.make(c)
			})
		case c.op == "Delete Blob":
			if f.is(c.Context(), c.blob()) && f.full(c) {
				r.refuseAzure(w, c, http.StatusConflict, "DirectoryIsNotEmpty", "the directory is not empty")
				return
			}
			f.forget(c.blob())
			next(w, c)
		case c.op == "Blob Batch": // it deletes directories that are not empty, which the service doesn't
			for _, b := range r.batched(c) {
				f.forget(b)
			}
			next(w, c)
		case c.op == "List Blobs":
			answer := ask(c, next)
			reply(w, answer, f.typed(c.Context(), c.bucket, answer.Body.Bytes()))
		default:
			next(w, c)
		}
	}
}

// is reports whether a blob is a directory.
func (f *folders) is(ctx context.Context, b blobName) bool {
	f.mu.Lock()
	known := f.made[b]
	f.mu.Unlock()
	if known {
		return true
	}
	p, ok := f.stored(ctx, b)
	for name := range p.Metadata {
		if ok && strings.EqualFold(name, "hdi_isfolder") {
			f.remember(b)
			return true
		}
	}
	return false
}

func (f *folders) remember(b blobName) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.made[b] = true
}

func (f *folders) forget(b blobName) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.made, b)
}

// make makes the directories that a blob is in.
func (f *folders) make(c call) {
	ctx := context.WithoutCancel(c.Context()) // the blob is there already
	for i, r := range c.key {
		if b := (blobName{c.bucket, c.key[:i]}); r == '/' && i > 0 && !f.is(ctx, b) {
			f.put(ctx, b)
		}
	}
}

func (f *folders) put(ctx context.Context, b blobName) {
	client, err := f.azureContainer(b.container)
	if err == nil {
		_, err = client.NewBlockBlobClient(b.key).Upload(ctx, streaming.NopCloser(bytes.NewReader(nil)), &blockblob.UploadOptions{
			Metadata:         map[string]*string{"hdi_isfolder": to.Ptr("true")},
			AccessConditions: &blob.AccessConditions{ModifiedAccessConditions: &blob.ModifiedAccessConditions{IfNoneMatch: to.Ptr(azcore.ETagAny)}},
		})
	}
	switch {
	case err == nil:
		f.remember(b)
	case !bloberror.HasCode(err, bloberror.BlobAlreadyExists): // a file, or another request was faster
		f.logf("directory %v: %v", b, err)
	}
}

// full reports whether there is a blob below a directory.
func (f *folders) full(c call) bool {
	client, err := f.azureContainer(c.bucket)
	if err != nil {
		return false
	}
	page, err := client.NewListBlobsFlatPager(&container.ListBlobsFlatOptions{
		Prefix: to.Ptr(c.key + "/"), MaxResults: to.Ptr[int32](1),
	}).NextPage(c.Context())
	return err == nil && page.Segment != nil && len(page.Segment.BlobItems) > 0
}

// typed adds the property ResourceType to a listing.
// https://learn.microsoft.com/en-us/rest/api/storageservices/list-blobs
func (f *folders) typed(ctx context.Context, container string, listing []byte) []byte {
	blobs := strings.Split(string(listing), "<Blob>")
	for i, b := range blobs[1:] {
		_, name, _ := strings.Cut(b, "<Name>")
		name, _, _ = strings.Cut(name, "</Name>")
		var key string
		if err := xml.Unmarshal([]byte("<Name>"+name+"</Name>"), &key); err != nil {
			continue
		}
		kind := "file"
		if strings.Contains(b, "<Content-Length>0</Content-Length>") && f.is(ctx, blobName{container, key}) {
			kind = "directory"
		}
		blobs[i+1] = strings.Replace(b, "<Properties>", "<Properties><ResourceType>"+kind+"</ResourceType>", 1)
	}
	return []byte(strings.Join(blobs, "<Blob>"))
}
