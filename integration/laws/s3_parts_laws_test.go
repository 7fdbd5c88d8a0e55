package laws_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/blobdock/blobdock/integration/laws"
)

func partOrder(t *testing.T) {
	c := newS3Client(t, laws.Options{}, "part-order")
	id := c.create(t, "gap")
	first, third := c.part(t, "gap", id, 1, 5<<20), c.part(t, "gap", id, 3, 1)
	wantCode(t, "with a gap", c.complete(t, "gap", id, first, third), "InvalidPartOrder")
	c.holds(t, "gap", "")
	second := c.part(t, "gap", id, 2, 5<<20)
	wantCode(t, "without a gap", c.complete(t, "gap", id, first, second, third), "")
	c.refused(t, "part-order", 1)
}

func partsAllNamed(t *testing.T) {
	c := newS3Client(t, laws.Options{}, "ceph")
	id := c.create(t, "key")
	first, last := c.part(t, "key", id, 1, 5<<20), c.part(t, "key", id, 7, 1)
	wantCode(t, "without the last", c.complete(t, "key", id, first), "InvalidPart")
	wantCode(t, "without the first", c.complete(t, "key", id, last), "InvalidPart")
	c.holds(t, "key", "")
	wantCode(t, "all of them", c.complete(t, "key", id, first, last), "")
	c.refused(t, "parts-all-named", 2)
}

func equalParts(t *testing.T) {
	c := newS3Client(t, laws.Options{}, "equal-parts")
	id := c.create(t, "key")
	one, small, large := c.part(t, "key", id, 1, 5<<20), c.part(t, "key", id, 2, 1), c.part(t, "key", id, 3, 5<<20+1)
	wantCode(t, "larger last part", c.complete(t, "key", id, one, large), "InvalidPart")
	wantCode(t, "smaller middle part", c.complete(t, "key", id, one, small, large), "InvalidPart")
	c.holds(t, "key", "")
	wantCode(t, "smaller last part", c.complete(t, "key", id, one, small), "")
	id = c.create(t, "equal")
	wantCode(t, "equal parts", c.complete(t, "equal", id, c.part(t, "equal", id, 2, 5<<20), c.part(t, "equal", id, 4, 5<<20)), "")
	c.refused(t, "equal-parts", 2)
}

func listUploads(t *testing.T) {
	list := func(c s3Client, prefix string, limit int32, encoding types.EncodingType) (listed []string) {
		t.Helper()
		decode := func(key *string) *string {
			if encoding == "" {
				return key
			}
			plain, err := url.QueryUnescape(*key)
			wantCode(t, "decode", err, "")
			return &plain
		}
		in := &s3.ListMultipartUploadsInput{Bucket: c.bucket, Prefix: &prefix, MaxUploads: &limit, EncodingType: encoding}
		for range 10 {
			page, err := c.ListMultipartUploads(t.Context(), in)
			wantCode(t, "list", err, "")
			if len(page.Uploads) > int(limit) {
				t.Errorf("%d uploads on a page of %d", len(page.Uploads), limit)
			}
			for _, u := range page.Uploads {
				listed = append(listed, *decode(u.Key)+" "+*u.UploadId)
			}
			if !*page.IsTruncated {
				return listed
			}
			in.KeyMarker, in.UploadIdMarker = decode(page.NextKeyMarker), page.NextUploadIdMarker
		}
		t.Errorf("10 pages of %d uploads: %q", limit, listed)
		return nil
	}
	c := newS3Client(t, laws.Options{}, "list-uploads")
	var want []string
	for _, key := range []string{"a/1", "a/1", "a/1", "a/2 +", "b"} {
		want = append(want, key+" "+*c.create(t, key))
	}
	slices.Sort(want)
	aborted := c.create(t, "a/1")
	_, err := c.AbortMultipartUpload(t.Context(), &s3.AbortMultipartUploadInput{Bucket: c.bucket, Key: aws.String("a/1"), UploadId: aborted})
	wantCode(t, "abort", err, "")
	completed := c.create(t, "a/2 +")
	wantCode(t, "complete", c.complete(t, "a/2 +", completed, c.part(t, "a/2 +", completed, 1, 1)), "")
	for _, limit := range []int32{1, 2, 3, 1000} {
		for prefix, want := range map[string][]string{"": want, "a/": want[:4], "a/1": want[:3], "a/2": want[3:4], "b": want[4:], "c": nil} {
			for _, encoding := range []types.EncodingType{"", types.EncodingTypeUrl} {
				if got := list(c, prefix, limit, encoding); !slices.Equal(got, want) {
					t.Errorf("prefix %q, %d on a page, encoding %q: got %q, want %q", prefix, limit, encoding, got, want)
				}
			}
		}
	}
	c = newS3Client(t, laws.Options{}, "part-order")
	c.create(t, "a/1")
	if got := list(c, "a/", 1000, ""); got != nil {
		t.Errorf("MinIO itself lists %q", got)
	}
}

func fullObjectSum(t *testing.T) {
	complete := func(c s3Client) error {
		up, err := c.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{
			Bucket: c.bucket, Key: aws.String("key"), ChecksumAlgorithm: types.ChecksumAlgorithmCrc32, ChecksumType: types.ChecksumTypeFullObject,
		})
		wantCode(t, "create", err, "")
		part := c.part(t, "key", up.UploadId, 1, 5)
		part.ChecksumCRC32 = nil
		return c.complete(t, "key", up.UploadId, part)
	}
	wantCode(t, "on MinIO itself", complete(newS3Client(t, laws.Options{}, "part-order")), "InvalidPart")
	c := newS3Client(t, laws.Options{}, "full-object-sum")
	wantCode(t, "under the law", complete(c), "")
	c.holds(t, "key", string(make([]byte, 5)))
	// Damaged parts are refused all the same.
	_, err := c.UploadPart(t.Context(), &s3.UploadPartInput{
		Bucket: c.bucket, Key: aws.String("key"), UploadId: c.create(t, "key"), PartNumber: aws.Int32(1),
		Body: strings.NewReader("content"), ChecksumCRC32: aws.String("AAAAAA=="),
	})
	wantCode(t, "damaged part", err, "XAmzContentChecksumMismatch")
}
