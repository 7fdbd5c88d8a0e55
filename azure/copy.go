package azure

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/sas"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/cloud"
)

const (
	// sourceLife is how long the source of a copy may be read. The store looks at
	// the signature when it begins, which a busy one may put off.
	sourceLife = time.Hour
	// https://learn.microsoft.com/en-us/rest/api/storageservices/authorize-with-azure-active-directory
	storageScope = "https://storage.azure.com/.default"
)

// source is what a copy reads, and the token that opens it, if it takes one.
type source struct {
	url    string
	bearer *string
	key    string // that signed the URL, where that is from a file
}

func (b *Bucket) source(ctx context.Context, key string) (source, error) {
	at := b.blobURL(b.endpoint, key)
	switch b.auth.kind {
	case sharedKey:
		used := b.auth.file.refresh(false)
		q, err := b.sas(key, time.Now().Add(sourceLife), sas.BlobPermissions{Read: true}).SignWithSharedKey(b.auth.key)
		if err != nil {
			return source{}, err
		}
		return source{url: at + "?" + q.Encode(), key: used}, nil
	case token:
		t, err := b.auth.token.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{storageScope}})
		if err != nil {
			return source{}, err
		}
		bearer := "Bearer " + t.Token
		return source{url: at, bearer: &bearer}, nil
	case signature:
		return source{url: at + "?" + b.auth.sas}, nil
	default:
		return source{url: at}, nil
	}
}

// copyObject copies an object by one Copy Blob From URL, which has the whole copy
// done when it answers. Where the copy is to have another type or metadata, which
// that request can't give it, the copy goes by one block and a block list: two
// requests, and as atomic.
func (b *Bucket) copyObject(ctx context.Context, r driver.CopyRequest) (driver.Object, error) {
	o := r.Options
	err := b.checkCopy(r.Src, r.Dst)
	if err == nil {
		err = r.Check()
	}
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return driver.Object{}, driver.NewError(driver.OpCopy, r.Dst, err)
	}
	return b.overType(ctx, driver.OpCopy, r.Dst, o.Cond, func(ctx context.Context, cond driver.Cond) (driver.Object, error) {
		r.Options.Cond = cond
		return b.copyOnce(ctx, r)
	})
}

func (b *Bucket) copyOnce(ctx context.Context, r driver.CopyRequest) (driver.Object, error) {
	o := r.Options
	ctx, c := begin(ctx, driver.OpCopy, r.Dst)
	c.Cond = o.Cond
	from, err := b.source(ctx, r.Src.Key)
	if err != nil {
		return driver.Object{}, c.fail(ctx, err)
	}
	if o.ContentType != "" || o.Metadata != nil {
		return b.copyAs(ctx, from, r)
	}
	out, err := b.blob(r.Dst).CopyFromURL(ctx, from.url, &blob.CopyFromURLOptions{
		CopySourceAuthorization: from.bearer, Tier: b.write.accessTier(o.Use), CPKScopeInfo: b.write.encryption(),
		SourceModifiedAccessConditions: sourceCondition(r.Src.ETag), BlobAccessConditions: conditionOf(o.Cond),
	})
	if err != nil {
		err = b.auth.file.replaced(from.key, c.fail(ctx, err))
		if c.Status == http.StatusConflict && c.code() == string(bloberror.CannotVerifyCopySource) {
			return b.copyOther(ctx, from, r, err)
		}
		return driver.Object{}, b.sourceGone(ctx, r.Src, err)
	}
	if etag(out.ETag) == "" {
		return driver.Object{}, c.Incomplete("ETag")
	}
	return driver.Object{Key: r.Dst, Size: -1, ETag: etag(out.ETag), Version: etag(out.ETag), ModTime: value(out.LastModified)}, nil
}

// copyOther copies a source that Copy Blob From URL refuses, which takes block blobs alone:
// an append or page blob goes by one block. refused is its error.
// https://learn.microsoft.com/en-us/rest/api/storageservices/copy-blob-from-url
func (b *Bucket) copyOther(ctx context.Context, from source, r driver.CopyRequest, refused error) (driver.Object, error) {
	src, err := b.look(ctx, driver.OpCopy, r.Src)
	if err != nil {
		return driver.Object{}, err
	}
	if !src.DeleteFirst {
		return driver.Object{}, refused
	}
	r.Options.ContentType, r.Options.Metadata = src.ContentType, src.Metadata
	return b.copyAs(ctx, from, r)
}

// look describes a copy's source; Mismatch if it has another ETag than src has.
func (b *Bucket) look(ctx context.Context, op driver.Op, src driver.Source) (driver.Object, error) {
	obj, err := b.Stat(ctx, src.Key)
	if err == nil && src.ETag != "" && obj.ETag != src.ETag {
		err = driver.Mismatch
	}
	if err != nil {
		return driver.Object{}, driver.NewError(op, src.Key, fmt.Errorf("source: %w", err))
	}
	return obj, nil
}

func (b *Bucket) copyAs(ctx context.Context, from source, r driver.CopyRequest) (driver.Object, error) {
	dst, up := b.blockBlob(r.Dst), newUpload(r.Options)
	id, _ := up.newBlock(1)
	asked, c := begin(ctx, driver.OpCopy, r.Dst)
	c.Cond = r.Options.Cond
	_, err := dst.StageBlockFromURL(asked, id, from.url, &blockblob.StageBlockFromURLOptions{
		CopySourceAuthorization: from.bearer, CPKScopeInfo: b.write.encryption(),
		SourceModifiedAccessConditions: sourceCondition(r.Src.ETag),
	})
	ids := []string{id}
	if err != nil {
		if err = b.sourceGone(ctx, r.Src, b.auth.file.replaced(from.key, c.fail(asked, err))); !mayBeEmpty(err) {
			return driver.Object{}, err
		}
		src, lookErr := b.look(ctx, driver.OpCopy, r.Src)
		if lookErr != nil {
			return driver.Object{}, lookErr
		}
		if src.Size > 0 {
			return driver.Object{}, err
		}
		ids = nil // blocks have bytes
	}
	ctx, c = begin(ctx, driver.OpCopy, r.Dst)
	c.Cond = r.Options.Cond
	out, err := dst.CommitBlockList(ctx, ids, &blockblob.CommitBlockListOptions{
		HTTPHeaders: headers(r.Options.ContentType), Metadata: encodeMetadata(r.Options.Metadata),
		Tier: b.write.accessTier(r.Options.Use), CPKScopeInfo: b.write.encryption(), AccessConditions: conditionOf(r.Options.Cond),
	})
	if err != nil {
		return driver.Object{}, c.fail(ctx, err)
	}
	if etag(out.ETag) == "" {
		return driver.Object{}, c.Incomplete("ETag")
	}
	return driver.Object{
		Key: r.Dst, Size: -1, ETag: etag(out.ETag), Version: etag(out.ETag), ModTime: value(out.LastModified),
		ContentType: r.Options.ContentType, Metadata: r.Options.Metadata,
	}, nil
}

// mayBeEmpty reports whether a source without bytes is one of the reasons why a block of it
// was refused. There are others, such as a header that the store does not know.
func mayBeEmpty(err error) bool {
	var e *driver.Error
	return errors.As(err, &e) && (e.Kind == driver.OutOfRange || e.Code == emptyBlock)
}

// copyPart fills part n of u with bytes of another object.
func (b *Bucket) copyPart(ctx context.Context, u driver.Upload, n int, src driver.Source) (driver.Part, error) {
	up, err := b.checkCopyPart(ctx, u, n, src)
	if err != nil {
		return driver.Part{}, driver.NewError(driver.OpCopyPart, u.Key, err)
	}
	ctx, c := begin(ctx, driver.OpCopyPart, u.Key)
	from, err := b.source(ctx, src.Key)
	if err != nil {
		return driver.Part{}, c.fail(ctx, err)
	}
	id, tag := up.newBlock(n)
	_, err = b.blockBlob(u.Key).StageBlockFromURL(ctx, id, from.url, &blockblob.StageBlockFromURLOptions{
		CopySourceAuthorization: from.bearer, CPKScopeInfo: b.write.encryption(),
		SourceModifiedAccessConditions: sourceCondition(src.ETag),
		Range:                          blob.HTTPRange{Offset: src.Range.Off, Count: src.Range.Len},
	})
	if err != nil {
		return driver.Part{}, b.sourceGone(ctx, src, b.auth.file.replaced(from.key, c.fail(ctx, err)))
	}
	return driver.Part{Number: n, Size: src.Range.Len, ETag: tag}, nil
}

func (b *Bucket) checkCopyPart(ctx context.Context, u driver.Upload, n int, src driver.Source) (upload, error) {
	if err := b.checkCopy(src, u.Key); err != nil {
		return upload{}, err
	}
	if err := ctx.Err(); err != nil {
		return upload{}, err
	}
	// The store does not tell how much it copied, so that must be known before.
	if src.Range.Off < 0 || src.Range.Len < 1 {
		return upload{}, fmt.Errorf("part %d of %d+%d: a part copy needs its offset and length: %w", n, src.Range.Off, src.Range.Len, driver.Invalid)
	}
	return b.checkPart(ctx, u, n, src.Range.Len)
}

func (b *Bucket) checkCopy(src driver.Source, dst string) error {
	if err := b.checkKey(src.Key); err != nil {
		return fmt.Errorf("source: %w", err)
	}
	return b.checkKey(dst)
}

// sourceGone is failed, or NotFound where there is no source that could have had the
// ETag, which takes a second request.
func (b *Bucket) sourceGone(ctx context.Context, src driver.Source, failed error) error {
	var e, gone *driver.Error
	if !errors.As(failed, &e) || e.Code != string(bloberror.SourceConditionNotMet) {
		return failed
	}
	if err := b.another(ctx, e.Op, src.Key, failed); errors.As(err, &gone) && gone != e {
		gone.Key, gone.Err = e.Key, fmt.Errorf("source %q: %w", src.Key, gone.Err)
		return gone
	}
	return failed
}

// sourceKind judges a copy that failed at its source, by the source's status.
func sourceKind(status int) driver.Kind {
	if status == http.StatusNotModified {
		return driver.Mismatch
	}
	return cloud.KindOfStatus(status)
}
