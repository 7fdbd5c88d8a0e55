package azure

import (
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"hash/crc64"
	"io"
	"sync"
	"sync/atomic"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"

	"github.com/blobdock/blobdock/driver"
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
	sha := sha256.New()
	var to []io.Writer
	if sum != nil {
		to = append(to, sum)
	}
	if len(want) > 0 {
		to = append(to, sha)
	}
	if len(to) == 0 {
		return nil, nil
	}
	if err := digest(io.MultiWriter(to...), body); err != nil {
		return nil, err
	}
	if len(want) > 0 {
		if got := sha.Sum(nil); !bytes.Equal(got, want) {
			return nil, fmt.Errorf("body has sha256 %x, want %x: %w", got, want, driver.Corrupt)
		}
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

func digest(w io.Writer, body *io.SectionReader) error {
	n, err := io.Copy(w, fromStart(body))
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

// WriteTo hides that of SectionReader, which would pass Read by.
func (u *upstream) WriteTo(w io.Writer) (int64, error) {
	return io.Copy(w, struct{ io.Reader }{u})
}

// Close is for the SDK, which wants a closer.
func (u *upstream) Close() error { return nil }

func (u *upstream) release() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.released = true
}
