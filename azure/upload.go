package azure

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/cloud"
)

// CreateUpload begins an upload, by no request at all: blocks need no beginning.
// So the upload is listed from its first part on, and a container that does not
// exist shows then.
func (b *Bucket) CreateUpload(ctx context.Context, key string, o driver.WriteOptions) (driver.Upload, error) {
	err := b.checkKey(key)
	if err == nil {
		err = o.CheckUpload()
	}
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return driver.Upload{}, driver.NewError(driver.OpCreateUpload, key, err)
	}
	return driver.Upload{Key: key, ID: newUpload(o).id(), Started: time.Now()}, nil
}

// PutPart stores part n as a block. An empty one needs none, and no request.
func (b *Bucket) PutPart(ctx context.Context, u driver.Upload, n int, body *io.SectionReader) (driver.Part, error) {
	up, err := b.checkPart(ctx, u, n, body.Size())
	var sum blob.TransferValidationType
	if err == nil {
		sum, err = b.checksum.of(body, nil)
	}
	if err != nil {
		return driver.Part{}, driver.NewError(driver.OpPutPart, u.Key, err)
	}
	if body.Size() == 0 {
		return driver.Part{Number: n, ETag: emptyPart}, nil
	}
	id, tag := up.newBlock(n)
	sent := cloud.NewRequestBody(body)
	defer sent.Release()
	ctx, c := begin(ctx, driver.OpPutPart, u.Key)
	_, err = b.blockBlob(u.Key).StageBlock(ctx, id, sent, &blockblob.StageBlockOptions{
		TransactionalValidation: sum, CPKScopeInfo: b.write.encryption(),
	})
	if err != nil {
		return driver.Part{}, c.failBody(ctx, sent, err)
	}
	return driver.Part{Number: n, Size: body.Size(), ETag: tag}, nil
}

func (b *Bucket) checkPart(ctx context.Context, u driver.Upload, n int, size int64) (upload, error) {
	if err := b.checkKey(u.Key); err != nil {
		return upload{}, err
	}
	if err := ctx.Err(); err != nil {
		return upload{}, err
	}
	up, err := parseUpload(u.ID)
	if err != nil {
		return up, err
	}
	return up, b.features.Parts.CheckPart(n, size)
}

// CompleteUpload makes the parts the object at u.Key, by one Put Block
// List. That drops all other parts at the key, those of other uploads included.
//
// A list that is refused costs a second request, which tells whether the upload
// is gone or a part of it.
func (b *Bucket) CompleteUpload(ctx context.Context, u driver.Upload, parts []driver.Part, cond driver.Cond) (driver.Object, error) {
	up, ids, err := b.checkComplete(ctx, u, parts, cond)
	if err != nil {
		return driver.Object{}, driver.NewError(driver.OpCompleteUpload, u.Key, err)
	}
	var size int64
	for _, p := range parts {
		size += p.Size
	}
	ctx, c := begin(ctx, driver.OpCompleteUpload, u.Key)
	c.Cond = cond
	out, err := b.blockBlob(u.Key).CommitBlockList(ctx, ids, &blockblob.CommitBlockListOptions{
		HTTPHeaders: headers(up.attrs.ContentType), Metadata: encodeMetadata(up.attrs.Metadata),
		Tier: b.write.accessTier(up.attrs.Use), CPKScopeInfo: b.write.encryption(), AccessConditions: conditionOf(cond),
	})
	if err != nil {
		err = c.fail(ctx, err)
		var e *driver.Error
		if errors.As(err, &e) && e.Code == invalidBlockList {
			return driver.Object{}, b.missing(ctx, u, up, e)
		}
		return driver.Object{}, err
	}
	if etag(out.ETag) == "" {
		return driver.Object{}, c.Incomplete("ETag")
	}
	return driver.Object{
		Key: u.Key, Size: size, ETag: etag(out.ETag), Version: etag(out.ETag), ModTime: value(out.LastModified),
		ContentType: up.attrs.ContentType, Metadata: up.attrs.Metadata,
	}, nil
}

func (b *Bucket) checkComplete(ctx context.Context, u driver.Upload, parts []driver.Part, cond driver.Cond) (upload, []string, error) {
	if err := b.checkKey(u.Key); err != nil {
		return upload{}, nil, err
	}
	if err := ctx.Err(); err != nil {
		return upload{}, nil, err
	}
	up, err := parseUpload(u.ID)
	if err == nil {
		err = b.features.Parts.CheckComplete(parts)
	}
	if err == nil {
		err = cond.Check()
	}
	if err != nil {
		return up, nil, err
	}
	ids := make([]string, 0, len(parts))
	for _, p := range parts {
		if p.ETag == emptyPart && p.Size == 0 {
			continue
		}
		id, ok := up.blockOf(p)
		if ids = append(ids, id); !ok {
			return up, nil, fmt.Errorf("part %d has never had the ETag %s: %w", p.Number, p.ETag, driver.Mismatch)
		}
	}
	return up, ids, nil
}

// missing tells why a block list was refused: as long as there are other parts of
// the upload it is not gone.
func (b *Bucket) missing(ctx context.Context, u driver.Upload, up upload, refused *driver.Error) error {
	ctx, c := begin(ctx, driver.OpCompleteUpload, u.Key)
	out, err := b.blockBlob(u.Key).GetBlockList(ctx, blockblob.BlockListTypeUncommitted, nil)
	if err != nil {
		if err = c.fail(ctx, err); !errors.Is(err, driver.NotFound) {
			return err
		}
		refused.Kind = driver.NotFound
		return refused
	}
	owned := func(k *blockblob.Block) bool { return k != nil && up.owns(value(k.Name)) }
	if !slices.ContainsFunc(out.UncommittedBlocks, owned) {
		refused.Kind = driver.NotFound
	}
	return refused
}

// onlyUncommitted has a block list name uncommitted blocks. The SDK's
// "latest" would find the blocks of the object itself: an upload that was
// completed could be completed once more, over what has been written since. It
// runs before the request is signed.
type onlyUncommitted struct{}

func (onlyUncommitted) Do(req *policy.Request) (*http.Response, error) {
	raw := req.Raw()
	if raw.Method != http.MethodPut || raw.URL.Query().Get("comp") != "blocklist" {
		return req.Next()
	}
	list, err := io.ReadAll(req.Body())
	if err != nil {
		return nil, err
	}
	// An id is base64 and so has no "<".
	list = bytes.ReplaceAll(list, []byte("<Latest>"), []byte("<Uncommitted>"))
	list = bytes.ReplaceAll(list, []byte("</Latest>"), []byte("</Uncommitted>"))
	if err := req.SetBody(streaming.NopCloser(bytes.NewReader(list)), raw.Header.Get("Content-Type")); err != nil {
		return nil, err
	}
	return req.Next()
}

// staging is the folder whose keys belong to one upload each.
const staging = "_uploads"

// private tells whether nobody but the upload itself uses the key.
func private(key string) bool { return strings.Contains("/"+key, "/"+staging+"/") }

// AbortUpload drops the upload's parts where the key belongs to it alone, below a
// folder _uploads: an empty block list takes their place, and goes again. That is
// two requests.
//
// Azure can't drop parts in another way. At any other key, where others would
// see the empty object, they stay until something is written there or a week has
// gone by; it costs no request.
func (b *Bucket) AbortUpload(ctx context.Context, u driver.Upload) error {
	err := b.checkKey(u.Key)
	if err == nil {
		err = ctx.Err()
	}
	if err == nil && u.ID == "" {
		err = fmt.Errorf("upload has no id: %w", driver.Invalid)
	}
	if err != nil {
		return driver.NewError(driver.OpAbortUpload, u.Key, err)
	}
	if !private(u.Key) {
		return nil
	}
	absent := driver.Cond{IfAbsent: true}
	cctx, c := begin(ctx, driver.OpAbortUpload, u.Key)
	c.Cond = absent
	out, err := b.blockBlob(u.Key).CommitBlockList(cctx, nil, &blockblob.CommitBlockListOptions{
		HTTPHeaders: headers(""), CPKScopeInfo: b.write.encryption(), AccessConditions: conditionOf(absent),
	})
	if err != nil {
		if err = c.fail(cctx, err); errors.Is(err, driver.Exists) {
			return b.dropEmpty(ctx, u)
		}
		return err
	}
	return b.dropVersion(ctx, u, out.ETag)
}

// dropEmpty removes the empty object that an abort whose reply was lost has left.
// One with content was completed.
func (b *Bucket) dropEmpty(ctx context.Context, u driver.Upload) error {
	asked, c := begin(ctx, driver.OpAbortUpload, u.Key)
	out, err := b.blob(u.Key).GetProperties(asked, nil)
	switch {
	case err != nil:
		if err = c.fail(asked, err); errors.Is(err, driver.NotFound) {
			return nil
		}
		return err
	case value(out.ContentLength) > 0:
		return nil
	}
	return b.dropVersion(ctx, u, out.ETag)
}

// dropVersion removes an empty object, unless somebody has replaced it.
func (b *Bucket) dropVersion(ctx context.Context, u driver.Upload, tag *azcore.ETag) error {
	ctx, c := begin(ctx, driver.OpAbortUpload, u.Key)
	_, err := b.blob(u.Key).Delete(ctx, &blob.DeleteOptions{
		AccessConditions: &blob.AccessConditions{ModifiedAccessConditions: &blob.ModifiedAccessConditions{
			IfMatch: tag,
		}},
	})
	if err != nil {
		if err = c.fail(ctx, err); errors.Is(err, driver.NotFound) || errors.Is(err, driver.Mismatch) {
			return nil // somebody else was quicker
		}
		return err
	}
	return nil
}

// UploadsPage lists the keys that have parts and no object. A key with several
// uploads comes once; where there is an object as well, the parts don't show.
// Azure tells neither the upload nor when it began, so all that can be done with
// what is listed is to abort it.
func (b *Bucket) UploadsPage(ctx context.Context, q driver.ListRequest) (driver.Page[driver.Upload], error) {
	none := driver.Page[driver.Upload]{}
	err := q.CheckUploads()
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return none, driver.NewError(driver.OpListUploads, q.Prefix, err)
	}
	if beyond(q) {
		return none, nil
	}
	ctx, c := begin(ctx, driver.OpListUploads, q.Prefix)
	l, err := b.listFlat(ctx, q, container.ListBlobsInclude{UncommittedBlobs: true})
	if err != nil {
		return none, c.fail(ctx, err)
	}
	page := driver.Page[driver.Upload]{Next: l.next}
	for _, i := range l.blobs {
		if key, ok := b.listed(q, value(i.Name)); ok && bare(i) && !b.isFolder(ctx, i.Properties) {
			page.Items = append(page.Items, driver.Upload{Key: key, ID: uncommitted, Started: value(i.Properties.LastModified)})
		}
	}
	return page, nil
}

// bare tells what has no committed content: it is listed without a content type,
// which every object has.
// https://learn.microsoft.com/en-us/rest/api/storageservices/list-blobs
func bare(i *container.BlobItem) bool {
	p := i.Properties
	return p != nil && value(p.ContentType) == "" && value(p.ContentLength) == 0 && len(p.ContentMD5) == 0
}
