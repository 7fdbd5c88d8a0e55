package s3

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/blobdock/blobdock/driver"
)

// maxExpires is from
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-presigned-url.html
const maxExpires = 7 * 24 * time.Hour

// sign makes a presigned URL. It makes no request to the store; credentials that end
// before half of the URL's life are renewed. The URL works no longer than they do.
func (b *Bucket) sign(ctx context.Context, r driver.SignRequest) (driver.SignedURL, error) {
	if err := b.checkSign(r); err != nil {
		return driver.SignedURL{}, driver.NewError(driver.OpSign, r.Key, err)
	}
	ctx, c := b.begin(ctx, driver.OpSign, r.Key)
	life := min(r.Expires, maxExpires)
	creds, err := b.keys.lasting(ctx, max(life/2, expiryWindow))
	if err != nil {
		return driver.SignedURL{}, c.fail(ctx, err)
	}
	now := time.Now()
	if end := ends(creds.Credentials); !end.IsZero() {
		life = min(life, end.Sub(now))
	}
	life = life.Truncate(time.Second) // the URL holds whole seconds
	if life < time.Second {
		return driver.SignedURL{}, driver.NewError(driver.OpSign, r.Key, fmt.Errorf("the credentials end in %v: %w", life, driver.Denied))
	}
	signed, err := b.presigned(ctx, r, func(o *s3.PresignOptions) {
		o.Expires = life
		o.Presigner = signerAt{now.Add(b.clock.Ahead())}
		// The same credentials as those whose end was looked at.
		o.ClientOptions = append(o.ClientOptions, func(o *s3.Options) { o.Credentials = fixed{creds.Credentials} })
	})
	if err != nil {
		return driver.SignedURL{}, c.fail(ctx, err)
	}
	header := signed.SignedHeader.Clone()
	header.Del("Host") // is part of the URL
	if len(header) == 0 {
		header = nil
	}
	return driver.SignedURL{URL: signed.URL, Header: header, Expires: now.Add(life)}, nil
}

func (b *Bucket) checkSign(r driver.SignRequest) error {
	if err := b.checkKey(r.Key); err != nil {
		return err
	}
	if err := r.Check(); err != nil || r.Method != http.MethodPut {
		return err
	}
	if err := b.checkUpload(r.Upload); err != nil {
		return err
	}
	if r.Upload.Key != r.Key {
		return fmt.Errorf("the upload is one to %q: %w", r.Upload.Key, driver.Invalid)
	}
	return b.profile.parts.CheckPart(r.Part, 0)
}

func (b *Bucket) presigned(ctx context.Context, r driver.SignRequest, o func(*s3.PresignOptions)) (*v4.PresignedHTTPRequest, error) {
	switch r.Method {
	case http.MethodGet:
		return b.presign.PresignGetObject(ctx, &s3.GetObjectInput{
			Bucket: b.bucket(), Key: b.full(r.Key), ResponseContentType: text(r.ContentType),
			ResponseCacheControl: text(r.CacheControl), ResponseContentDisposition: text(r.ContentDisposition),
		}, o)
	case http.MethodHead:
		return b.presign.PresignHeadObject(ctx, &s3.HeadObjectInput{
			Bucket: b.bucket(), Key: b.full(r.Key), ResponseContentType: text(r.ContentType),
			ResponseCacheControl: text(r.CacheControl), ResponseContentDisposition: text(r.ContentDisposition),
		}, o)
	default:
		return b.presign.PresignUploadPart(ctx, &s3.UploadPartInput{
			Bucket: b.bucket(), Key: b.full(r.Key), UploadId: &r.Upload.ID, PartNumber: aws.Int32(int32(r.Part)),
		}, o)
	}
}

// fixed is credentials that are at hand.
type fixed struct{ aws.Credentials }

func (f fixed) Retrieve(context.Context) (aws.Credentials, error) { return f.Credentials, nil }
