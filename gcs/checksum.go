package gcs

import (
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"io"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/cloud"
	"github.com/blobdock/blobdock/internal/crc32c"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// bodyCRC is the sum of body as the JSON API writes it. The store compares it.
// https://cloud.google.com/storage/docs/data-validation
//
// A SHA-256 that is known is compared here on the way: the store knows none.
func bodyCRC(body *io.SectionReader, want []byte) (string, error) {
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

// joinedCRC is the sum of all sources, one behind the other. It is false where a sum is
// not known.
func joinedCRC(sources []driver.Object, sums []*uint32) (whole uint32, ok bool) {
	for i, s := range sources {
		if sums[i] == nil {
			return 0, false
		}
		whole = crc32c.Combine(whole, *sums[i], s.Size)
	}
	return whole, true
}
