package s3

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/cloud"
)

// Delete removes the object at key, if there is one.
func (b *Bucket) Delete(ctx context.Context, key string, o driver.DeleteOptions) error {
	if err := b.checkDelete(key, o); err != nil {
		return driver.NewError(driver.OpDelete, key, err)
	}
	in := &s3.DeleteObjectInput{Bucket: b.bucket(), Key: b.full(key)}
	if isETag(o.IfVersion) {
		in.IfMatch = &o.IfVersion
	} else {
		in.VersionId = text(o.IfVersion)
	}
	ctx, c := b.begin(ctx, driver.OpDelete, key)
	var err error
	if o.NotAfter.IsZero() {
		_, err = b.client.DeleteObject(ctx, in)
	} else {
		err = b.deleteBefore(ctx, c, in, o.NotAfter)
	}
	if err != nil {
		// S3 answers 204 for what is absent; GCS and others 404.
		if err = c.fail(ctx, err); errors.Is(err, driver.NotFound) {
			return nil
		}
		if !o.NotAfter.IsZero() {
			err = cloud.Late(err, o.NotAfter)
		}
		return err
	}
	b.seen.Store(true)
	return nil
}

func (b *Bucket) checkDelete(key string, o driver.DeleteOptions) error {
	if err := b.checkKey(key); err != nil {
		return err
	}
	if !isETag(o.IfVersion) {
		o.IfVersion = "" // every store that tells version ids takes them
	}
	return b.features.Conds.CheckDelete(o, time.Now())
}

// isETag tells an ETag from a version id, which has no quotes.
func isETag(v string) bool { return strings.HasPrefix(v, `"`) || strings.HasPrefix(v, "W/") }

// deleteBefore sends a request whose signature expires at the deadline, or less than
// a second before. The store compares it with its own clock when the request arrives.
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
func (b *Bucket) deleteBefore(ctx context.Context, c *call, in *s3.DeleteObjectInput, deadline time.Time) error {
	creds, err := b.keys.Retrieve(ctx)
	if err != nil {
		return err
	}
	now := b.clock.Now() // NotAfter is a time on the store's clock
	life := min(deadline.Sub(now), maxExpires).Truncate(time.Second)
	if life < time.Second {
		return driver.NewError(c.Op, c.Key, fmt.Errorf("NotAfter has come while credentials were fetched: %w", driver.Invalid))
	}
	signed, err := b.deleter.PresignDeleteObject(ctx, in, func(o *s3.PresignOptions) {
		o.Expires = life
		o.Presigner = signerAt{now}
		o.ClientOptions = append(o.ClientOptions, func(o *s3.Options) { o.Credentials = fixed{creds} })
	})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, signed.Method, signed.URL, nil)
	if err != nil {
		return err
	}
	for name, values := range signed.SignedHeader {
		if name != "Host" { // is part of the URL
			req.Header[name] = values
		}
	}
	resp, err := b.client.Options().HTTPClient.Do(req)
	if err != nil {
		return &smithyhttp.RequestSendError{Err: err}
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode >= http.StatusMultipleChoices {
		r := c.reply()
		code := cmp.Or(r.Code, strings.ReplaceAll(http.StatusText(resp.StatusCode), " ", ""))
		return &smithy.GenericAPIError{Code: code, Message: r.Message}
	}
	return nil
}

// signerAt signs as of a time. The SDK would look at the clock after the lifetime was
// worked out, so that the signature could expire later than it was meant to.
type signerAt struct{ time.Time }

func (s signerAt) PresignHTTP(ctx context.Context, creds aws.Credentials, r *http.Request, payloadHash, service, region string, _ time.Time,
	optFns ...func(*v4.SignerOptions)) (string, http.Header, error) {
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	return signer.PresignHTTP(ctx, creds, r, payloadHash, service, region, s.Time, optFns...)
}

// deleteBatch deletes keys in one request. The error names the first key that
// could not be deleted; the others are deleted all the same.
func (b *Bucket) deleteBatch(ctx context.Context, refs []driver.ObjectRef) error {
	if len(refs) == 0 {
		return nil
	}
	if err := b.features.CheckBatch(refs); err != nil {
		return driver.NewError(driver.OpDeleteBatch, refs[0].Key, err)
	}
	ids := make([]types.ObjectIdentifier, len(refs))
	for i, r := range refs {
		if err := b.checkKey(r.Key); err != nil {
			return driver.NewError(driver.OpDeleteBatch, r.Key, err)
		}
		if isETag(r.Version) {
			return driver.NewError(driver.OpDeleteBatch, r.Key, fmt.Errorf("version %s is an ETag, which a batch does not compare: %w", r.Version, driver.Unsupported))
		}
		ids[i].Key, ids[i].VersionId = b.full(r.Key), text(r.Version)
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
	failed := &driver.Error{Op: c.Op, Key: c.Key, RequestID: c.requestID()}
	c.refused(ctx, failed, &smithy.GenericAPIError{
		Code:    aws.ToString(first.Code),
		Message: fmt.Sprintf("%s (%d of %d keys were not deleted)", aws.ToString(first.Message), len(left), len(refs)),
	})
	failed.OutcomeUnknown = failed.Kind == driver.Unavailable
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
