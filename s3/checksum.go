package s3

import (
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"io"
	"sync"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/blobdock/blobdock/driver"
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

// of reads body once for its sum. It is nothing next to the network: CRC32C
// runs at some GB/s.
func (k Checksum) of(body *io.SectionReader) (sums, error) {
	h := k.new()
	if h == nil {
		return sums{}, nil
	}
	if err := digest(h, body); err != nil {
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
	if k != ChecksumNone && k != ChecksumMD5 {
		return sums{sha256: encode(sum)}, nil
	}
	h := sha256.New()
	if err := digest(h, body); err != nil {
		return sums{}, err
	}
	if got := h.Sum(nil); !bytes.Equal(got, sum) {
		return sums{}, fmt.Errorf("body has sha256 %x, want %x: %w", got, sum, driver.Corrupt)
	}
	return k.of(body)
}

func encode(sum []byte) *string { return aws.String(base64.StdEncoding.EncodeToString(sum)) }

func digest(h hash.Hash, body *io.SectionReader) error {
	n, err := io.Copy(h, fromStart(body))
	switch {
	case err != nil:
		return fmt.Errorf("body at %d of %d bytes: %w", n, body.Size(), err)
	case n < body.Size():
		return fmt.Errorf("body ends at %d of %d bytes: %w", n, body.Size(), io.ErrUnexpectedEOF)
	}
	return nil
}

// fromStart reads body with a position of its own.
func fromStart(body *io.SectionReader) *io.SectionReader {
	return io.NewSectionReader(body, 0, body.Size())
}

// upstream is a body on its way. It remembers its own failure, which the
// transport reports like one of the network.
//
// The transport may go on reading a body after it has returned, when the reply
// came early or the call was given up. The caller, however, uses its buffer
// again: after release nothing reads it.
type upstream struct {
	*io.SectionReader
	failure  atomic.Pointer[error]
	mu       sync.Mutex // held while bytes are copied
	released bool
}

func newUpstream(body *io.SectionReader) *upstream { return &upstream{SectionReader: fromStart(body)} }

var errReleased = errors.New("the call that sent this body has ended")

func (u *upstream) Read(p []byte) (int, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.released {
		return 0, errReleased
	}
	at, _ := u.Seek(0, io.SeekCurrent)
	n, err := u.SectionReader.Read(p)
	if errors.Is(err, io.EOF) && at+int64(n) < u.Size() {
		err = fmt.Errorf("body ends at %d of %d bytes: %w", at+int64(n), u.Size(), io.ErrUnexpectedEOF)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		u.failure.CompareAndSwap(nil, &err)
	}
	return n, err
}

func (u *upstream) release() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.released = true
}
