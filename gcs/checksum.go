package gcs

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash"
	"hash/crc32"
	"io"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/cloud"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// crc32c is the sum of body as the JSON API writes it. The store compares it.
// https://cloud.google.com/storage/docs/data-validation
//
// A SHA-256 that is known is compared here on the way: the store knows none.
func crc32c(body *io.SectionReader, want []byte) (string, error) {
	crc := crc32.New(castagnoli)
	var to io.Writer = crc
	var sha hash.Hash
	if len(want) > 0 {
		sha = sha256.New()
		to = io.MultiWriter(crc, sha)
	}
	if err := cloud.Digest(to, body); err != nil {
		return "", err
	}
	if sha != nil && !bytes.Equal(sha.Sum(nil), want) {
		return "", fmt.Errorf("body has sha256 %x, want %x: %w", sha.Sum(nil), want, driver.Corrupt)
	}
	return encodeCRC(crc.Sum32()), nil
}

func encodeCRC(sum uint32) string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, sum))
}
