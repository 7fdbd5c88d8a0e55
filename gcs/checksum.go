package gcs

import (
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"io"

	"github.com/blobdock/blobdock/internal/cloud"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// crc32c is the sum of body as the JSON API writes it. The store compares it.
// https://cloud.google.com/storage/docs/data-validation
//
// A SHA-256 that is known is compared here on the way: the store knows none.
func crc32c(body *io.SectionReader, want []byte) (string, error) {
	crc := crc32.New(castagnoli)
	if err := cloud.Digest(body, want, crc); err != nil {
		return "", err
	}
	return encodeCRC(crc.Sum32()), nil
}

func encodeCRC(sum uint32) string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, sum))
}

// decodeCRC is nil for what is no sum.
func decodeCRC(text string) *uint32 {
	sum, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(sum) != crc32.Size {
		return nil
	}
	return new(binary.BigEndian.Uint32(sum))
}
