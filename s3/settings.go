package s3

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/cloud"
)

// settings asks for versioning, Object Lock and default encryption, by one request each.
// Access points with an ARN have none of these requests.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-points-service-api-support.html
func (b *Bucket) settings(ctx context.Context) ([]driver.BucketSetting, error) {
	var s cloud.Settings
	if isARN(b.name) {
		s.Add("the bucket", "not told through an access point", "")
		return s, nil
	}
	for _, ask := range []func(context.Context, *cloud.Settings) error{b.versioning, b.objectLock, b.encryption} {
		if err := ask(ctx, &s); err != nil {
			return s, err
		}
	}
	return s, nil
}

// https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketVersioning.html
func (b *Bucket) versioning(ctx context.Context, s *cloud.Settings) error {
	const name = driver.ObjectVersioning
	ctx, c := b.begin(ctx, driver.OpStat, "")
	out, err := b.client.GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: b.bucket()})
	switch {
	case err != nil:
		return s.Refused(name, "s3:GetBucketVersioning", c.fail(ctx, err))
	case out.Status == types.BucketVersioningStatusSuspended:
		s.Add(name, "suspended", "versions from before stay until a lifecycle rule (NoncurrentVersionExpiration) removes them")
	default:
		s.OnOff(name, out.Status == types.BucketVersioningStatusEnabled,
			"what is deleted and replaced stays, and is billed: expire noncurrent versions by a lifecycle rule (NoncurrentVersionExpiration)")
	}
	return nil
}

// https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectLockConfiguration.html
func (b *Bucket) objectLock(ctx context.Context, s *cloud.Settings) error {
	const name = "Object Lock"
	ctx, c := b.begin(ctx, driver.OpStat, "")
	out, err := b.client.GetObjectLockConfiguration(ctx, &s3.GetObjectLockConfigurationInput{Bucket: b.bucket()})
	if err != nil {
		return b.unset(s, name, "off", "s3:GetBucketObjectLockConfiguration", "ObjectLockConfigurationNotFoundError", c.fail(ctx, err))
	}
	l := out.ObjectLockConfiguration
	switch {
	case l != nil && l.Rule != nil && l.Rule.DefaultRetention != nil:
		s.Add(name, "on, with a default retention ("+string(l.Rule.DefaultRetention.Mode)+")",
			"versions can't be deleted until then, and garbage collection frees nothing: take a bucket without it")
	default:
		s.OnOff(name, l != nil && l.ObjectLockEnabled == types.ObjectLockEnabledEnabled,
			"the bucket can't be without versions, and locked ones can't be deleted: take a bucket without it")
	}
	return nil
}

// https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketEncryption.html
func (b *Bucket) encryption(ctx context.Context, s *cloud.Settings) error {
	const name = "default encryption"
	ctx, c := b.begin(ctx, driver.OpStat, "")
	out, err := b.client.GetBucketEncryption(ctx, &s3.GetBucketEncryptionInput{Bucket: b.bucket()})
	if err != nil {
		return b.unset(s, name, "none", "s3:GetEncryptionConfiguration", "ServerSideEncryptionConfigurationNotFoundError", c.fail(ctx, err))
	}
	value, advice := "none", ""
	if e := out.ServerSideEncryptionConfiguration; e != nil {
		for _, r := range e.Rules {
			d := r.ApplyServerSideEncryptionByDefault
			if d == nil {
				continue
			}
			value = string(d.SSEAlgorithm)
			if d.SSEAlgorithm != types.ServerSideEncryptionAes256 && (r.BucketKeyEnabled == nil || !*r.BucketKeyEnabled) {
				advice = "each object costs requests to KMS: enable S3 Bucket Keys; and grant kms:GenerateDataKey and kms:Decrypt on the key"
			}
		}
	}
	s.Add(name, value, advice)
	return nil
}

// unset is for requests that a bucket without the setting refuses with a code.
func (b *Bucket) unset(s *cloud.Settings, name, value, grant, code string, err error) error {
	var e *driver.Error
	if errors.As(err, &e) && e.Code == code {
		s.Add(name, value, "")
		return nil
	}
	return s.Refused(name, grant, err)
}
