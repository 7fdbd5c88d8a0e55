package gcs

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"sync"
	"sync/atomic"

	"github.com/blobdock/blobdock/driver"
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
	n, err := io.Copy(to, fromStart(body))
	switch {
	case err != nil:
		return "", fmt.Errorf("body at %d of %d bytes: %w", n, body.Size(), err)
	case n < body.Size():
		return "", fmt.Errorf("body ends at %d of %d bytes: %w", n, body.Size(), io.ErrUnexpectedEOF)
	case sha != nil && !bytes.Equal(sha.Sum(nil), want):
		return "", fmt.Errorf("body has sha256 %x, want %x: %w", sha.Sum(nil), want, driver.Corrupt)
	}
	return encodeCRC(crc.Sum32()), nil
}

func encodeCRC(sum uint32) string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, sum))
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
	body     *io.SectionReader
	failure  atomic.Pointer[error]
	mu       sync.Mutex // held while bytes are copied
	at       int64
	released bool
}

func newUpstream(body *io.SectionReader) *upstream { return &upstream{body: fromStart(body)} }

var errReleased = errors.New("the call that sent this body has ended")

func (u *upstream) Read(p []byte) (int, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.released {
		return 0, errReleased
	}
	n, err := u.body.Read(p)
	u.at += int64(n)
	if errors.Is(err, io.EOF) && u.at < u.body.Size() {
		err = fmt.Errorf("body ends at %d of %d bytes: %w", u.at, u.body.Size(), io.ErrUnexpectedEOF)
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
