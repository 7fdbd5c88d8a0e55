package laws

import (
	"context"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// etagOpaque has the bucket encrypted with a key of the key service's. The store then
// makes ETags of random bytes itself.
func etagOpaque(r rule) enforcement {
	encrypted := newPerBucket(func(ctx context.Context, bucket string) error {
		_, err := r.s3Client.PutBucketEncryption(ctx, &s3.PutBucketEncryptionInput{
			Bucket: &bucket,
			ServerSideEncryptionConfiguration: &types.ServerSideEncryptionConfiguration{
				Rules: []types.ServerSideEncryptionRule{{
					ApplyServerSideEncryptionByDefault: &types.ServerSideEncryptionByDefault{
						SSEAlgorithm: types.ServerSideEncryptionAwsKms, KMSMasterKeyID: aws.String(r.s3.KMSKey),
					},
				}},
			},
		})
		return err
	})
	return func(w http.ResponseWriter, c call, next handler) {
		if err := encrypted.ready(c); err != nil {
			brokenS3(w, c, err)
			return
		}
		next(w, c)
	}
}

// versioned has the bucket keep versions, and accounts their bytes: those of the current
// version before each write and delete, less those of versions that are deleted. Writes
// of one key at the same time blur the sum.
func versioned(r rule) enforcement {
	enabled := newPerBucket(func(ctx context.Context, bucket string) error {
		_, err := r.s3Client.PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{
			Bucket:                  &bucket,
			VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled},
		})
		return err
	})
	return func(w http.ResponseWriter, c call, next handler) {
		if err := enabled.ready(c); err != nil {
			brokenS3(w, c, err)
			return
		}
		if !writesS3(c) && c.op != "DeleteObjects" {
			next(w, c)
			return
		}
		removed, ok := r.removals(w, c)
		if !ok {
			return
		}
		if c.op != "DeleteObject" && c.op != "DeleteObjects" {
			removed = []removal{{Key: c.key}}
		}
		kept, err := r.keeps(c, removed)
		if err != nil {
			brokenS3(w, c, err)
			return
		}
		rec := ask(c, next)
		if rec.Code/100 == 2 {
			r.account(kept)
		}
		reply(w, rec, nil)
	}
}

// keeps is how many bytes more will lie in versions that are not current when c has
// replaced or removed these objects.
func (e rule) keeps(c call, objects []removal) (int64, error) {
	var kept int64
	for _, o := range objects {
		if o.VersionID != "" {
			n, err := e.noncurrent(c, o)
			if err != nil {
				return 0, err
			}
			kept -= n
			continue
		}
		current, err := e.headS3(c.Context(), c.bucket, o.Key)
		if err != nil {
			return 0, err
		}
		if current != nil {
			kept += aws.ToInt64(current.ContentLength)
		}
	}
	return kept, nil
}

// noncurrent is how many bytes of versions that are not current o's removal frees: its
// own, or those of the one that becomes current in its place.
func (e rule) noncurrent(c call, o removal) (int64, error) {
	all, err := e.s3Client.ListObjectVersions(c.Context(), &s3.ListObjectVersionsInput{Bucket: &c.bucket, Prefix: &o.Key})
	if err != nil {
		return 0, err
	}
	latest := ""
	for _, m := range all.DeleteMarkers {
		if aws.ToString(m.Key) == o.Key && aws.ToBool(m.IsLatest) {
			latest = aws.ToString(m.VersionId)
		}
	}
	for _, v := range all.Versions {
		switch {
		case aws.ToString(v.Key) != o.Key:
		case aws.ToBool(v.IsLatest):
			latest = aws.ToString(v.VersionId)
		case aws.ToString(v.VersionId) == o.VersionID, latest == o.VersionID:
			return aws.ToInt64(v.Size), nil
		}
	}
	return 0, nil
}
