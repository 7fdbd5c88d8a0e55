package s3

import (
	"context"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/blobdock/blobdock/driver"
)

// deleteBatch deletes keys in one request. The error names the first key that
// could not be deleted; the others are deleted all the same.
func (b *Bucket) deleteBatch(ctx context.Context, refs []driver.ObjectRef) error {
	if len(refs) == 0 {
		return nil
	}
	if err := b.features.CheckBatch(refs); err != nil {
		return driver.Fail(driver.OpDeleteBatch, refs[0].Key, err)
	}
	ids := make([]types.ObjectIdentifier, len(refs))
	for i, r := range refs {
		if err := b.checkKey(r.Key); err != nil {
			return driver.Fail(driver.OpDeleteBatch, r.Key, err)
		}
		ids[i].Key = b.full(r.Key)
	}
	ctx, c := b.begin(ctx, driver.OpDeleteBatch, refs[0].Key)
	out, err := b.client.DeleteObjects(ctx, &s3.DeleteObjectsInput{
		Bucket: b.bucket(), Delete: &types.Delete{Objects: ids, Quiet: aws.Bool(true)},
	}, b.batchSum)
	if err != nil {
		return c.fail(ctx, err)
	}
	b.seen.Store(true)
	left := slices.DeleteFunc(out.Errors, func(e types.Error) bool { return kinds[aws.ToString(e.Code)] == driver.NotFound })
	if len(left) == 0 {
		return nil
	}
	first := left[0]
	c.Key = refs[max(slices.IndexFunc(ids, func(id types.ObjectIdentifier) bool { return *id.Key == aws.ToString(first.Key) }), 0)].Key
	c.Status = 0 // the reply's 200 is not this key's
	failed := &driver.Error{Op: c.Op, Key: c.Key, RequestID: c.Header.Get("X-Amz-Request-Id")}
	c.refused(failed, &smithy.GenericAPIError{
		Code:    aws.ToString(first.Code),
		Message: fmt.Sprintf("%s (%d of %d keys were not deleted)", aws.ToString(first.Message), len(left), len(refs)),
	})
	failed.MayHave = failed.Kind == driver.Unavailable
	return failed
}

// batchSum replaces the SDK's CRC32 with Content-MD5 for stores that know only
// that; the request must have one of the two.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html
func (b *Bucket) batchSum(o *s3.Options) {
	if !b.profile.md5Delete {
		return
	}
	o.APIOptions = append(slices.Clip(o.APIOptions), func(stack *middleware.Stack) error {
		if _, err := stack.Initialize.Remove("AWSChecksum:SetupInputContext"); err != nil {
			return err
		}
		return smithyhttp.AddContentChecksumMiddleware(stack)
	})
}
