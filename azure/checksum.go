package azure

import (
	"crypto/md5"
	"hash"
	"hash/crc64"
	"io"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"

	"github.com/blobdock/blobdock/internal/cloud"
)

// Checksum says how the store checks what it is sent.
type Checksum string

const (
	ChecksumAuto  Checksum = ""      // crc64
	ChecksumCRC64 Checksum = "crc64" // x-ms-content-crc64
	ChecksumMD5   Checksum = "md5"   // Content-MD5; slow
	ChecksumNone  Checksum = "none"
)

var checksums = []Checksum{ChecksumAuto, ChecksumCRC64, ChecksumMD5, ChecksumNone}

// Azure's polynomial, bits reversed.
// https://learn.microsoft.com/en-us/rest/api/storageservices/put-block
var azureCRC = crc64.MakeTable(0x9a6c9329ac4bc9b5)

// of reads body once for its sum, and for its SHA-256 where want has that: the
// store doesn't know SHA-256, so it is compared here.
func (k Checksum) of(body *io.SectionReader, want []byte) (blob.TransferValidationType, error) {
	var sum hash.Hash
	switch k {
	case ChecksumMD5:
		sum = md5.New()
	case ChecksumCRC64:
		sum = crc64.New(azureCRC)
	}
	var to []io.Writer
	if sum != nil {
		to = append(to, sum)
	}
	if err := cloud.Digest(body, want, to...); err != nil {
		return nil, err
	}
	switch sum := sum.(type) {
	case nil:
		return nil, nil
	case hash.Hash64:
		return blob.TransferValidationTypeCRC64(sum.Sum64()), nil
	default:
		return blob.TransferValidationTypeMD5(sum.Sum(nil)), nil
	}
}
