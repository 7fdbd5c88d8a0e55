package azure

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"

	"github.com/blobdock/blobdock/driver"
)

// A blob has the type that it was created with for as long as it exists, and this driver
// writes block blobs. Distribution 3.0.0 to 3.1.1 wrote every object as an append blob, and
// 3.x all layers that come by PATCH. A write to such a key is refused with InvalidBlobType.
// https://learn.microsoft.com/en-us/rest/api/storageservices/understanding-block-blobs--append-blobs--and-page-blobs
// https://github.com/distribution/distribution/pull/4871

// replaceTimeout bounds a write that goes on after its context has ended, since the object
// that it replaces is deleted already.
const replaceTimeout = 30 * time.Second

// otherType reports whether the blob is an append or page blob.
func otherType(t *blob.BlobType) bool { return t != nil && *t != blob.BlobTypeBlockBlob }

// refusedType reports whether a write failed since a blob of another type is at the key.
func refusedType(err error) bool {
	var e *driver.Error
	return errors.As(err, &e) && e.Code == string(bloberror.InvalidBlobType)
}

// overType calls write, and once more if it met a blob of another type: that blob is
// deleted in between, unless the condition forbids it. Nothing is at the key for a moment.
// The write is repeated under a condition that keeps what others put there meanwhile, if
// the caller's condition would have kept it.
func (b *Bucket) overType(ctx context.Context, op driver.Op, key string, cond driver.Cond, write func(context.Context, driver.Cond) (driver.Object, error)) (driver.Object, error) {
	obj, err := write(ctx, cond)
	if !refusedType(err) || cond.IfAbsent {
		return obj, err // under IfAbsent it is Exists
	}
	if err := b.deleteType(ctx, op, key, cond.IfMatch); err != nil {
		return driver.Object{}, err
	}
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), replaceTimeout)
	defer stop()
	then := driver.Cond{IfAbsent: cond.IfMatch != ""}
	obj, err = write(ctx, then)
	var e *driver.Error
	if errors.As(err, &e) && e.Kind == driver.Exists {
		e.Kind = driver.Mismatch // somebody has put another version there
	}
	return obj, err
}

// deleteType deletes the blob of another type at key, which has to have the ETag want if
// that is not "". One that is gone already is no error, unless it was wanted.
func (b *Bucket) deleteType(ctx context.Context, op driver.Op, key, want string) error {
	gone := func() error {
		if want == "" {
			return nil // somebody else was quicker: the write tells what is there
		}
		return driver.NewError(op, key, fmt.Errorf("the object with ETag %s is gone: %w", want, driver.Mismatch))
	}
	asked, c := begin(ctx, op, key)
	got, err := b.blob(key).GetProperties(asked, nil)
	if err != nil {
		if err = c.fail(asked, err); errors.Is(err, driver.NotFound) {
			return gone()
		}
		return err
	}
	tag := etag(got.ETag)
	switch {
	case want != "" && want != tag:
		return gone()
	case !otherType(got.BlobType):
		return nil // somebody has replaced it
	}
	asked, c = begin(ctx, op, key)
	if _, err = b.blob(key).Delete(asked, deletion(tag)); err != nil {
		if err = c.fail(asked, err); errors.Is(err, driver.NotFound) || errors.Is(err, driver.Mismatch) {
			return gone()
		}
	}
	return err
}
