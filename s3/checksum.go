package s3

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"io"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/cloud"
)

var (
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	// NVM Express's polynomial, bits reversed.
	// https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
	nvme = crc64.MakeTable(0x9a6c9329ac4bc9b5)
)

// sums are the fields of a request that carry a checksum. At most one is set: a
// store refuses two of them.
type sums struct {
	md5, crc32, crc32c, crc64, sha256 *string
}

func (k Checksum) new() hash.Hash {
	switch k {
	case ChecksumMD5:
		return md5.New()
	case ChecksumCRC32:
		return crc32.NewIEEE()
	case ChecksumCRC32C:
		return crc32.New(castagnoli)
	case ChecksumCRC64NVME:
		return crc64.New(nvme)
	default:
		return nil
	}
}

// algorithm is what CreateMultipartUpload announces: sums of parts that make up
// one of the whole object, so that completion needs no list of them.
func (k Checksum) algorithm() (types.ChecksumAlgorithm, types.ChecksumType) {
	switch k {
	case ChecksumCRC32:
		return types.ChecksumAlgorithmCrc32, types.ChecksumTypeFullObject
	case ChecksumCRC32C:
		return types.ChecksumAlgorithmCrc32c, types.ChecksumTypeFullObject
	case ChecksumCRC64NVME:
		return types.ChecksumAlgorithmCrc64nvme, types.ChecksumTypeFullObject
	default:
		return "", ""
	}
}

// flexible reports whether the sum is one that the store keeps with the object: Amazon's
// name for them is flexible checksums.
func (k Checksum) flexible() bool { return k != ChecksumNone && k != ChecksumMD5 }

// of reads body once for its sum. It is nothing next to the network: CRC32C
// runs at some GB/s.
func (k Checksum) of(body *io.SectionReader) (sums, error) {
	h := k.new()
	if h == nil {
		return sums{}, nil
	}
	if err := cloud.Digest(body, nil, h); err != nil {
		return sums{}, err
	}
	v := encode(h.Sum(nil))
	switch k {
	case ChecksumMD5:
		return sums{md5: v}, nil
	case ChecksumCRC32:
		return sums{crc32: v}, nil
	case ChecksumCRC32C:
		return sums{crc32c: v}, nil
	default:
		return sums{crc64: v}, nil
	}
}

// withSHA256 is the sums of a body whose SHA-256 is known. The store compares it
// where the profile has checksums; else it is compared here, as a store may
// ignore what it does not know.
func (k Checksum) withSHA256(body *io.SectionReader, sum []byte) (sums, error) {
	if k.flexible() {
		return sums{sha256: encode(sum)}, nil
	}
	if err := cloud.Digest(body, sum); err != nil {
		return sums{}, err
	}
	return k.of(body)
}

func encode(sum []byte) *string { return aws.String(base64.StdEncoding.EncodeToString(sum)) }

// reported are the sums of the whole object. Those of type COMPOSITE cover the sums of
// its parts.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html
func reported(out *s3.HeadObjectOutput) (got driver.Checksums) {
	if out.ChecksumType != types.ChecksumTypeFullObject {
		return got
	}
	if sum := sumOf(out.ChecksumCRC32C, crc32.Size); sum != nil {
		got.CRC32C = new(binary.BigEndian.Uint32(sum))
	}
	got.SHA256 = sumOf(out.ChecksumSHA256, sha256.Size)
	return got
}

// sumOf is nil unless s is a sum of that many bytes.
func sumOf(s *string, size int) []byte {
	sum, err := base64.StdEncoding.DecodeString(aws.ToString(s))
	if err != nil || len(sum) != size {
		return nil
	}
	return sum
}
