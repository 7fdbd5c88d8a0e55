package tarsum

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// MaxFiles is how many entries a layer may have. A tarsum is computed of their sums, in order: each
// takes about 100 bytes of memory, whatever its size.
const MaxFiles = 1 << 20

// MaxHoles is how many bytes a layer's sparse files may have that the archive does not store. They
// are hashed as zeros, of which a few hundred bytes can announce exabytes.
const MaxHoles = 256 << 20

// Compute reads a layer to its end and returns its tarsum, as Docker's specification says. It is
// that of the tar archive in a layer that is compressed by gzip. Content that is no archive, or
// one that breaks off, is ErrLayerInvalidTarsum, and so are more than MaxFiles entries or MaxHoles.
//
// User and group names count. Docker leaves them out since 18.06, so that its sums differ from
// those of 2014, unless there are no names. A global PAX header counts as an entry with nothing but a name.
// An entry that comes several times with one path keeps its order, which the specification
// defines for neighbours only; here as in Docker the order is that of Go's sort.Sort.
//
// https://github.com/moby/moby/blob/v1.13.1/pkg/tarsum/tarsum_spec.md
func Compute(r io.Reader, v Version) (string, error) {
	if _, ok := v.folder(); !ok {
		return "", fmt.Errorf("version %q: %w", v, ErrLayerTarSumVersionUnsupported)
	}
	h, err := compute(r, v, MaxFiles)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrLayerInvalidTarsum, err)
	}
	return sum{version: v, hex: h}.String(), nil
}

func compute(r io.Reader, v Version, most int) (string, error) {
	plain, err := decompressed(r)
	if err != nil {
		return "", err
	}
	var files []file
	blocks := &blockReader{Reader: plain}
	archive := tar.NewReader(blocks)
	content := &fileReader{Reader: archive, blocks: blocks}
	for {
		hdr, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil && !errors.Is(err, tar.ErrInsecurePath) { // nothing is unpacked here
			return "", fmt.Errorf("entry %d: %w", len(files), err)
		}
		if len(files) == most {
			return "", fmt.Errorf("more than %d entries", most)
		}
		h := sha256.New()
		_, _ = io.WriteString(h, fields(hdr, blocks.typeflag(hdr), v))
		if _, err := io.Copy(h, content); err != nil {
			return "", fmt.Errorf("entry %q: %w", hdr.Name, err)
		}
		path := strings.TrimSuffix(strings.TrimPrefix(hdr.Name, "./"), "/")
		f := file{position: len(files), path: sha256.Sum256([]byte(path))}
		h.Sum(f.sum[:0])
		files = append(files, f)
	}
	// What follows is no part of the archive. The end of a compressed one has its checksum.
	if _, err := io.Copy(io.Discard, plain); err != nil {
		return "", fmt.Errorf("behind the archive: %w", err)
	}
	sort.Sort(bySum(files))
	h := sha256.New()
	for _, f := range files {
		_, _ = io.WriteString(h, hex.EncodeToString(f.sum[:]))
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// decompressed is r, decompressed if that is needed. https://www.rfc-editor.org/rfc/rfc1952
func decompressed(r io.Reader) (io.Reader, error) {
	br := bufio.NewReader(r)
	magic, err := br.Peek(2)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if !bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		return br, nil
	}
	return gzip.NewReader(br)
}

// file is what remains of an entry.
type file struct {
	position int
	path     [sha256.Size]byte // a hash of it
	sum      [sha256.Size]byte
}

// bySum orders entries by their sums, and those of one path by their positions.
type bySum []file

func (s bySum) Len() int      { return len(s) }
func (s bySum) Swap(i, j int) { s[i], s[j] = s[j], s[i] }

func (s bySum) Less(i, j int) bool {
	if s[i].path == s[j].path {
		return s[i].position < s[j].position
	}
	return bytes.Compare(s[i].sum[:], s[j].sum[:]) < 0
}

// xattrPrefix begins the PAX records that are extended attributes.
const xattrPrefix = "SCHILY.xattr."

// fields is a header as it is hashed.
func fields(hdr *tar.Header, typeflag byte, v Version) string {
	var s strings.Builder
	put := func(key, value string) { s.WriteString(key + value) }
	number := func(key string, value int64) { put(key, strconv.FormatInt(value, 10)) }
	put("name", hdr.Name)
	number("mode", hdr.Mode)
	number("uid", int64(hdr.Uid))
	number("gid", int64(hdr.Gid))
	number("size", hdr.Size)
	if v == Version0 {
		number("mtime", hdr.ModTime.Unix())
	}
	put("typeflag", string([]byte{typeflag}))
	put("linkname", hdr.Linkname)
	put("uname", hdr.Uname)
	put("gname", hdr.Gname)
	number("devmajor", hdr.Devmajor)
	number("devminor", hdr.Devminor)
	if v != Version0 {
		for _, key := range slices.Sorted(maps.Keys(hdr.PAXRecords)) {
			if name, ok := strings.CutPrefix(key, xattrPrefix); ok {
				put(name, hdr.PAXRecords[key])
			}
		}
	}
	return s.String()
}

// fileReader reads files, and counts their bytes.
type fileReader struct {
	io.Reader
	blocks *blockReader
	size   int64
}

func (f *fileReader) Read(p []byte) (int, error) {
	n, err := f.Reader.Read(p)
	if f.size += int64(n); f.size > f.blocks.size+MaxHoles {
		err = fmt.Errorf("sparse files with more than %d bytes that are not stored", MaxHoles)
	}
	return n, err
}

// blockReader keeps the last block that was read: behind tar.Reader.Next a header, as the tar.Reader
// reads no further.
type blockReader struct {
	io.Reader
	last [512]byte
	size int64 // of all blocks
}

func (b *blockReader) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	b.size += int64(n)
	if n < len(b.last) {
		copy(b.last[:], b.last[n:])
		copy(b.last[len(b.last)-n:], p[:n])
	} else {
		copy(b.last[:], p[n-len(b.last):n])
	}
	return n, err
}

// typeflagAt is where a header has its type.
const typeflagAt = 156

// typeflag is the type as the archive has it. In headers older than POSIX's it may be zero, for
// which tar.Reader gives one of today.
func (b *blockReader) typeflag(hdr *tar.Header) byte {
	if (hdr.Typeflag == tar.TypeReg || hdr.Typeflag == tar.TypeDir) && hdr.PAXRecords == nil && b.last[typeflagAt] == 0 {
		return 0
	}
	return hdr.Typeflag
}
