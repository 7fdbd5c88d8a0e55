package upload

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"strings"

	"github.com/blobdock/blobdock/driver"
)

// A state's object is magic, version, the header's length and CRC-32C in four bytes each,
// the header as JSON, and the body.
const (
	magic         = "blobdock upload state\n"
	formatVersion = 1
	prefixLen     = len(magic) + 1 + 4 + 4
	// maxHeader is more than a header takes: 10,000 pieces have some 2 MiB.
	maxHeader = 32 << 20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// encode is all of a state's object but its body.
func (h *header) encode() ([]byte, error) {
	text, err := json.Marshal(h)
	if err != nil {
		return nil, fmt.Errorf("upload state: %w", err)
	}
	var out bytes.Buffer
	out.Grow(prefixLen + len(text))
	out.WriteString(magic)
	out.WriteByte(formatVersion)
	_ = binary.Write(&out, binary.BigEndian, uint32(len(text)))
	_ = binary.Write(&out, binary.BigEndian, crc32.Checksum(text, castagnoli))
	out.Write(text)
	return out.Bytes(), nil
}

// decode reads what encode has made, and leaves r at the body. bodyOff is where that
// begins.
func decode(r io.Reader) (h header, bodyOff int64, err error) {
	prefix := make([]byte, prefixLen)
	if _, err := io.ReadFull(r, prefix); err != nil {
		return h, 0, damaged("prefix", err)
	}
	rest, ok := strings.CutPrefix(string(prefix), magic)
	if !ok {
		return h, 0, damaged("prefix", nil)
	}
	if v := rest[0]; v != formatVersion {
		return h, 0, fmt.Errorf("format %d, this version knows %d: %w", v, formatVersion, ErrNewerState)
	}
	length, sum := binary.BigEndian.Uint32(prefix[len(magic)+1:]), binary.BigEndian.Uint32(prefix[len(magic)+5:])
	if length > maxHeader {
		return h, 0, damaged("header length", nil)
	}
	text, err := io.ReadAll(io.LimitReader(r, int64(length)))
	if err != nil {
		return h, 0, err
	}
	if len(text) != int(length) || crc32.Checksum(text, castagnoli) != sum {
		return h, 0, damaged("header", nil)
	}
	if err := json.Unmarshal(text, &h); err != nil {
		return h, 0, damaged("header", err)
	}
	return h, int64(prefixLen) + int64(length), h.check()
}

// check refuses a header that contradicts itself.
func (h *header) check() error {
	if h.Offset < 0 || h.Body < 0 || h.sum() != h.Offset {
		return damaged("sizes", nil)
	}
	for _, p := range h.Pieces {
		if p.Size <= 0 || driver.CheckKey(p.Key) != nil {
			return damaged("piece", nil)
		}
	}
	for _, r := range h.Refs {
		if r.Size <= 0 || r.Off < 0 || driver.CheckKey(r.Key) != nil {
			return damaged("reference", nil)
		}
	}
	if len(h.Hashes) != len(h.Algorithms) || len(h.Hashes) == 0 {
		return damaged("hashes", nil)
	}
	for i, s := range h.Hashes {
		if s.Algorithm != h.Algorithms[i] {
			return damaged("hashes", nil)
		}
	}
	if h.Hint != "" && h.Hint.Validate() != nil {
		return damaged("hint", nil)
	}
	_, err := resumeHashes(h.hashStates)
	return err
}

func damaged(what string, cause error) error {
	if cause != nil {
		return fmt.Errorf("%s: %w: %w: %w", what, ErrBadState, driver.Corrupt, cause)
	}
	return fmt.Errorf("%s: %w: %w", what, ErrBadState, driver.Corrupt)
}

// within reports whether all that the header names lies in the folder: a state can't
// make other objects content, or have them deleted.
func (h *header) within(folder string) bool {
	for _, p := range h.Pieces {
		if !strings.HasPrefix(p.Key, folder) {
			return false
		}
	}
	for _, r := range h.Refs {
		if !strings.HasPrefix(r.Key, folder) {
			return false
		}
	}
	for _, a := range h.Ancestors {
		if !strings.HasPrefix(a.Key, folder) {
			return false
		}
	}
	return true
}
