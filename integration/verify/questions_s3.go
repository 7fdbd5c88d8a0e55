package verify

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/cloud"
)

// s3Asker puts questions to a store that speaks S3, by the SDK's own client where the
// driver would not ask.
type s3Asker struct {
	*asker
	client   *s3.Client
	settings map[string]string // of the driver
}

func (a s3Asker) questions() []question {
	all := a.allQuestions("") // equal bytes may have equal ETags or others
	all = append(all, a.clock(func(ctx context.Context, key string) error {
		_, err := a.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &a.bucket, Key: aws.String(a.full(key))})
		return err
	}))
	for _, w := range a.writes() {
		all = append(all, w.questions(a.asker)...)
	}
	listed := "by the prefix"
	if a.features.Name == "s3/minio" {
		listed = "by the exact key" // https://github.com/minio/minio/issues/11686
	}
	unequal := accepted
	if a.features.Parts.Uniform {
		unequal = ""
	}
	all = append(all,
		a.deleteIf("What does If-Match do on DeleteObject?", "", a.deleteMatching),
		question{"part-gaps", "Can an upload be completed whose part numbers have a gap (1 and 3), with parts that carry no checksum?", "", a.gaps("", "")},
		question{"part-gaps-composite", "The same, with CRC32C sums and a composite checksum?", "", a.gaps(types.ChecksumAlgorithmCrc32c, types.ChecksumTypeComposite)},
		question{"part-gaps-full-object", "The same, with CRC32C sums and a full-object checksum?", "", a.gaps(types.ChecksumAlgorithmCrc32c, types.ChecksumTypeFullObject)},
		question{"unnamed-part", "Can an upload be completed that names only one of its two parts?", "", a.unnamedPart},
		question{"unequal-parts", "Can parts before the last differ in size?", unequal, a.unequalParts},
		question{"smallest-part", "What is the smallest part before the last?", driver.FormatBytes(a.features.Parts.MinSize), a.smallestPart},
		question{"list-uploads", "Which prefix finds an upload that is under way?", listed, a.listUploads},
		question{"versioned", "Does the bucket keep the versions of what is overwritten and deleted?", "", a.versioned},
	)
	for _, k := range checksums {
		assumes := ""
		if k.name == a.settings["checksum"] {
			assumes = "compared"
		}
		all = append(all, question{"checksum-" + k.name, fmt.Sprintf("What does the store make of %s on PutObject?", k.header), assumes,
			func(ctx context.Context, key string) (finding, error) { return a.checksum(ctx, key, k) }})
	}
	return all
}

// writes are the requests that may carry a condition, whatever the driver's profile says.
func (a s3Asker) writes() []write {
	conds := a.features.Conds
	return []write{
		{"put", "PutObject", conds.Put, func(ctx context.Context, key, text string, c driver.Cond) reply {
			in := &s3.PutObjectInput{Bucket: &a.bucket, Key: aws.String(a.full(key)), Body: section([]byte(text))}
			in.IfMatch, in.IfNoneMatch = conditionS3(c)
			return a.call(ctx, func(ctx context.Context) error { _, err := a.client.PutObject(ctx, in); return err })
		}},
		{"complete", "CompleteMultipartUpload", conds.Complete, func(ctx context.Context, key, text string, c driver.Cond) reply {
			u, parts, err := a.upload(ctx, key, []byte(text))
			if err != nil {
				return replyOf(err)
			}
			in := &s3.CompleteMultipartUploadInput{Bucket: &a.bucket, Key: aws.String(a.full(key)), UploadId: &u.ID, MultipartUpload: named(parts...)}
			in.IfMatch, in.IfNoneMatch = conditionS3(c)
			r := a.call(ctx, func(ctx context.Context) error { _, err := a.client.CompleteMultipartUpload(ctx, in); return err })
			if r.err != nil {
				_ = a.features.Uploads.AbortUpload(ctx, u) // the run's end finds what stays
			}
			return r
		}},
		{"copy", "CopyObject", conds.Copy, func(ctx context.Context, key, text string, c driver.Cond) reply {
			source := key + "-source"
			if _, err := a.put(ctx, source, text); err != nil {
				return replyOf(err)
			}
			in := &s3.CopyObjectInput{Bucket: &a.bucket, Key: aws.String(a.full(key)), CopySource: aws.String(cloud.EscapePath(a.bucket + "/" + a.full(source)))}
			in.IfMatch, in.IfNoneMatch = conditionS3(c)
			return a.call(ctx, func(ctx context.Context) error { _, err := a.client.CopyObject(ctx, in); return err })
		}},
	}
}

// conditionS3 is the values of If-Match and If-None-Match.
func conditionS3(c driver.Cond) (match, noneMatch *string) {
	switch {
	case c.IfAbsent:
		return nil, aws.String("*")
	case c.IfMatch != "":
		return &c.IfMatch, nil
	}
	return nil, nil
}

func (a s3Asker) deleteMatching(ctx context.Context, key, etag string) reply {
	return a.call(ctx, func(ctx context.Context) error {
		_, err := a.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &a.bucket, Key: aws.String(a.full(key)), IfMatch: &etag})
		return err
	})
}

// versioned looks whether a write is told its version.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/AddingObjectstoVersioningEnabledBuckets.html
func (a s3Asker) versioned(ctx context.Context, key string) (finding, error) {
	r := a.call(ctx, func(ctx context.Context) error {
		_, err := a.client.PutObject(ctx, &s3.PutObjectInput{Bucket: &a.bucket, Key: aws.String(a.full(key + "/object")), Body: section([]byte("text"))})
		return err
	})
	f, err := r.finding("no")
	if v := r.header.Get("X-Amz-Version-Id"); v != "" && v != "null" {
		f.found = versionsKept
	}
	return f, err
}

// versionsKept is the answer of a versioned bucket.
const versionsKept = "yes"

// listUploads begins an upload and looks for it.
func (a s3Asker) listUploads(ctx context.Context, key string) (finding, error) {
	u, err := a.features.Uploads.CreateUpload(ctx, key+"/folder/object", driver.WriteOptions{})
	if err != nil {
		return finding{}, err
	}
	defer func() { _ = a.features.Uploads.AbortUpload(context.WithoutCancel(ctx), u) }()
	for _, q := range []struct{ prefix, found string }{{key + "/", "by the prefix"}, {u.Key, "by the exact key"}} {
		for got, err := range driver.ListUploads(ctx, a, driver.ListRequest{Prefix: q.prefix}) {
			if err != nil {
				return finding{}, err
			}
			if got.ID == u.ID {
				return finding{found: q.found}, nil
			}
		}
	}
	return finding{found: "none"}, nil
}
