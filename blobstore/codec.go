package blobstore

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/driver"
)

// A session object is
//
//	magic    8 bytes, "blobdock"
//	version  uint32
//	length   uint32, of the fields
//	checksum uint32, CRC-32C of the fields
//	fields   strings and numbers as unsigned varints and length-prefixed bytes
//	tail     the rest; its length and CRC-32C are fields
//
// with fixed integers in big-endian order.
const (
	sessionMagic   = "blobdock"
	sessionVersion = 1
	preambleSize   = len(sessionMagic) + 3*4
	// maxFields bounds what is read into memory for a header: 10,000 parts take
	// 230 KiB; a forged length must not take gigabytes.
	maxFields = 8 << 20
)

// ErrNewerSession is returned for an upload that a newer blobdock began.
var ErrNewerSession = errors.New("upload session was written by a newer blobdock; upgrade this replica")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// encodeSession returns everything of the session object but the tail itself.
func encodeSession(s *session, tail []byte) ([]byte, error) {
	var e encoder
	e.str(s.ID)
	e.str(s.Repository)
	e.uint(uint64(s.Started.UnixNano()))
	e.str(string(s.Hint))
	e.uint(uint64(len(s.Algorithms)))
	for _, a := range s.Algorithms {
		e.str(string(a))
	}
	e.uint(uint64(len(s.Hashes)))
	for _, h := range s.Hashes {
		e.str(string(h.Algorithm))
		e.str(string(h.State))
	}
	e.str(s.Staged.Key)
	e.str(s.Staged.ID)
	e.uint(uint64(s.Next))
	e.uint(uint64(len(s.Strays)))
	for _, key := range s.Strays {
		e.str(key)
	}
	e.uint(uint64(len(s.Parts)))
	for _, p := range s.Parts {
		e.uint(uint64(p.Number))
		e.uint(uint64(p.Size))
		e.etag(p.ETag)
	}
	e.uint(s.Writer)
	e.uint(uint64(len(tail)))
	e.uint(uint64(crc32.Checksum(tail, castagnoli)))
	if len(e.b) > maxFields {
		return nil, fmt.Errorf("session of %d bytes exceeds %d: %w", len(e.b), maxFields, driver.Invalid)
	}

	head := make([]byte, 0, preambleSize+len(e.b))
	head = append(head, sessionMagic...)
	head = binary.BigEndian.AppendUint32(head, sessionVersion)
	head = binary.BigEndian.AppendUint32(head, uint32(len(e.b)))
	head = binary.BigEndian.AppendUint32(head, crc32.Checksum(e.b, castagnoli))
	return append(head, e.b...), nil
}

// decodeSession reads the header of a session object of the given size and
// leaves r at the tail. Corrupt when it is damaged, ErrNewerSession when its
// version is not known.
func decodeSession(r io.Reader, size int64) (*session, error) {
	pre := make([]byte, preambleSize)
	if _, err := io.ReadFull(r, pre); err != nil {
		return nil, truncated(err)
	}
	if string(pre[:len(sessionMagic)]) != sessionMagic {
		return nil, fmt.Errorf("not an upload session: %w", driver.Corrupt)
	}
	words := pre[len(sessionMagic):]
	version, length, sum := binary.BigEndian.Uint32(words), binary.BigEndian.Uint32(words[4:]), binary.BigEndian.Uint32(words[8:])
	if version != sessionVersion {
		return nil, fmt.Errorf("version %d, known is %d: %w", version, sessionVersion, ErrNewerSession)
	}
	if length > maxFields || int64(length) > size-int64(preambleSize) {
		return nil, fmt.Errorf("header of %d bytes: %w", length, driver.Corrupt)
	}
	fields := make([]byte, length)
	if _, err := io.ReadFull(r, fields); err != nil {
		return nil, truncated(err)
	}
	if crc32.Checksum(fields, castagnoli) != sum {
		return nil, fmt.Errorf("header checksum differs: %w", driver.Corrupt)
	}

	d := decoder{b: fields}
	s := &session{
		ID:         d.str(),
		Repository: d.str(),
		Started:    time.Unix(0, int64(d.uint())).UTC(),
		Hint:       digest.Digest(d.str()),
	}
	for range d.count(1) {
		s.Algorithms = append(s.Algorithms, digest.Algorithm(d.str()))
	}
	for range d.count(2) {
		s.Hashes = append(s.Hashes, hashState{digest.Algorithm(d.str()), []byte(d.str())})
	}
	s.Staged.Key = d.str()
	s.Staged.ID = d.str()
	s.Next = d.int()
	for range d.count(1) {
		s.Strays = append(s.Strays, d.str())
	}
	n := d.count(3)
	s.Parts = make([]driver.Part, 0, n)
	var total int64
	for range n {
		p := driver.Part{Number: d.int(), Size: int64(d.int()), ETag: d.etag()}
		if total += p.Size; total < 0 {
			d.bad = true
		}
		s.Parts = append(s.Parts, p)
	}
	s.Writer = d.uint()
	s.Tail = int64(d.int())
	s.tailSum = uint32(d.uint())
	if s.Hint != "" && checkDigest(s.Hint) != nil {
		d.bad = true
	}
	if d.bad || len(d.b) > 0 || s.Tail != size-int64(preambleSize)-int64(length) || total+s.Tail < 0 {
		return nil, fmt.Errorf("header does not fit its object of %d bytes: %w", size, driver.Corrupt)
	}
	return s, nil
}

// readTail reads the tail behind a decoded header into p, which has s.Tail bytes.
func (s *session) readTail(r io.Reader, p []byte) error {
	if _, err := io.ReadFull(r, p); err != nil {
		return fmt.Errorf("session %q: tail: %w", s.key, err)
	}
	if crc32.Checksum(p, castagnoli) != s.tailSum {
		return fmt.Errorf("session %q: tail checksum differs: %w", s.key, ErrBadSession)
	}
	return nil
}

// truncated tells an object that ends too soon from one that can't be read.
func truncated(err error) error {
	if driver.KindOf(err) != driver.Unknown {
		return err
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("header is cut short: %w", driver.Corrupt)
	}
	return err
}

type encoder struct{ b []byte }

func (e *encoder) uint(n uint64) { e.b = binary.AppendUvarint(e.b, n) }
func (e *encoder) str(s string)  { e.uint(uint64(len(s))); e.b = append(e.b, s...) }

// ETags of parts are most of a long upload's session, and nearly all are a
// quoted MD5: these are stored as 16 bytes.
const (
	etagVerbatim = 0
	etagMD5      = 1
)

func (e *encoder) etag(s string) {
	if sum, ok := quotedMD5(s); ok {
		e.uint(etagMD5)
		e.b = append(e.b, sum...)
		return
	}
	e.uint(etagVerbatim)
	e.str(s)
}

func quotedMD5(s string) ([]byte, bool) {
	if len(s) != 34 || s[0] != '"' || s[33] != '"' {
		return nil, false
	}
	sum, err := hex.DecodeString(s[1:33])
	return sum, err == nil && hex.EncodeToString(sum) == s[1:33]
}

// decoder reads fields; once one is bad, all that follow are zero.
type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) uint() uint64 {
	n, size := binary.Uvarint(d.b)
	if d.bad || size <= 0 {
		d.bad, d.b = true, nil
		return 0
	}
	d.b = d.b[size:]
	return n
}

// int is a uint that fits a non-negative int.
func (d *decoder) int() int {
	n := d.uint()
	if n > 1<<62 {
		d.bad, d.b = true, nil
		return 0
	}
	return int(n)
}

// count is a number of records that have at least min bytes each.
func (d *decoder) count(least int) int {
	n := d.int()
	if n > len(d.b)/least {
		d.bad, d.b = true, nil
		return 0
	}
	return n
}

func (d *decoder) bytes(n int) []byte {
	if d.bad || n > len(d.b) {
		d.bad, d.b = true, nil
		return nil
	}
	p := d.b[:n]
	d.b = d.b[n:]
	return p
}

func (d *decoder) str() string { return string(d.bytes(d.int())) }

func (d *decoder) etag() string {
	if d.uint() == etagMD5 {
		return `"` + hex.EncodeToString(d.bytes(16)) + `"`
	}
	return d.str()
}
