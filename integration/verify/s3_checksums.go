package verify

import (
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"hash"
	"hash/crc32"
	"hash/crc64"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// checksum is a sum that a PutObject may carry.
type checksum struct {
	name   string // as the driver's parameter has it
	header string
	sum    func() hash.Hash
	set    func(in *s3.PutObjectInput, sum *string)
}

// checksums are those that the driver can send.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
var checksums = []checksum{
	{"md5", "Content-MD5", md5.New, func(in *s3.PutObjectInput, sum *string) { in.ContentMD5 = sum }},
	{"crc32c", "x-amz-checksum-crc32c", func() hash.Hash { return crc32.New(crc32.MakeTable(crc32.Castagnoli)) },
		func(in *s3.PutObjectInput, sum *string) { in.ChecksumCRC32C = sum }},
	{"crc64nvme", "x-amz-checksum-crc64nvme", func() hash.Hash { return crc64.New(crc64.MakeTable(0x9a6c9329ac4bc9b5)) },
		func(in *s3.PutObjectInput, sum *string) { in.ChecksumCRC64NVME = sum }},
	{"sha256", "x-amz-checksum-sha256", sha256.New, func(in *s3.PutObjectInput, sum *string) { in.ChecksumSHA256 = sum }},
}

// checksumOf is the sum of data in base64.
func checksumOf(name string, data []byte) string {
	for _, k := range checksums {
		if k.name == name {
			return k.of(data)
		}
	}
	return ""
}

func (k checksum) of(data []byte) string {
	h := k.sum()
	_, _ = h.Write(data)
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

// checksum sends a right sum and a wrong one.
func (a s3Asker) checksum(ctx context.Context, key string, k checksum) (finding, error) {
	data := []byte("content with a checksum")
	send := func(sum string) reply {
		in := &s3.PutObjectInput{Bucket: &a.bucket, Key: aws.String(a.full(key + "/object")), Body: section(data)}
		k.set(in, &sum)
		return a.call(ctx, func(ctx context.Context) error { _, err := a.client.PutObject(ctx, in); return err })
	}
	if right := send(k.of(data)); right.err != nil {
		return right.finding("")
	}
	f, err := send(k.of([]byte("other content"))).finding(ignored)
	if f.found == refused {
		f.found = "compared"
	}
	return f, err
}
