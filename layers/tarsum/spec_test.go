package tarsum_test

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/blobdock/blobdock/layers/tarsum"
)

// entry is what an archive has, before anything is written: the sum of the specification is
// computed of it without an archive.
type entry struct {
	tar.Header
	body []byte // as it is unpacked
}

// specified is the tarsum that the specification gives to entries of different paths. It knows
// nothing of archives.
func specified(version tarsum.Version, entries []entry) string {
	var sums []string
	for _, e := range entries {
		text := fmt.Sprintf("name%smode%duid%dgid%dsize%d", e.Name, e.Mode, e.Uid, e.Gid, e.Size)
		if version == tarsum.Version0 {
			text += fmt.Sprintf("mtime%d", e.ModTime.Unix())
		}
		text += fmt.Sprintf("typeflag%clinkname%suname%sgname%sdevmajor%ddevminor%d", rune(e.Typeflag), e.Linkname, e.Uname, e.Gname, e.Devmajor, e.Devminor)
		if version != tarsum.Version0 {
			var xattrs []string
			for k, v := range e.PAXRecords {
				if strings.HasPrefix(k, "SCHILY.xattr.") {
					xattrs = append(xattrs, k+"\x00"+v)
				}
			}
			slices.Sort(xattrs)
			for _, x := range xattrs {
				text += strings.Replace(strings.TrimPrefix(x, "SCHILY.xattr."), "\x00", "", 1)
			}
		}
		sums = append(sums, fmt.Sprintf("%x", sha256.Sum256(append([]byte(text), e.body...))))
	}
	slices.Sort(sums)
	return fmt.Sprintf("%s+sha256:%x", version, sha256.Sum256([]byte(strings.Join(sums, ""))))
}

func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

func isInvalid(err error) bool { return errors.Is(err, tarsum.ErrLayerInvalidTarsum) }

// block is one block of an archive, with fields at their places.
func block(fields map[int]string) []byte {
	b := make([]byte, 512)
	for at, s := range fields {
		copy(b[at:], s)
	}
	return b
}

// header is a block with a checksum. https://www.gnu.org/software/tar/manual/html_node/Standard.html
func header(fields map[int]string) []byte {
	b := block(fields)
	copy(b[148:], "        ")
	n := 0
	for _, c := range b {
		n += int(c)
	}
	copy(b[148:], fmt.Sprintf("%06o\x00 ", n))
	return b
}

func octal(n int64) string { return fmt.Sprintf("%011o", n) }

// layer is an archive, and what is in it.
type layer struct {
	name    string
	archive []byte
	entries []entry
}

// layersOf are layers of all kinds.
func layersOf(t testing.TB) []layer {
	t.Helper()
	when := time.Unix(1420070400, 0)
	at := func(h tar.Header) tar.Header {
		h.ModTime = when
		return h
	}
	long := strings.Repeat("a-long-name/", 30) + "file"
	sparse := slices.Concat(make([]byte, 8192), bytes.Repeat([]byte("d"), 512), make([]byte, 1000))
	made := map[string][]entry{
		"empty": nil,
		"files and directories": {
			{Header: at(tar.Header{Typeflag: tar.TypeDir, Name: "etc/", Mode: 0o755})},
			file(at(tar.Header{Name: "etc/passwd", Mode: 0o644, Uname: "root", Gname: "wheel"}), "root:x:0:0"),
			file(at(tar.Header{Name: "etc/empty", Mode: 0o4755, Uid: 12, Gid: 34}), ""),
		},
		"hard and symbolic links": {
			file(at(tar.Header{Name: "bin/busybox", Mode: 0o755}), "ELF"),
			{Header: at(tar.Header{Typeflag: tar.TypeLink, Name: "bin/ls", Linkname: "bin/busybox", Mode: 0o755})},
			{Header: at(tar.Header{Typeflag: tar.TypeSymlink, Name: "bin/sh", Linkname: "../usr/bin/dash", Mode: 0o777})},
		},
		"devices": {
			{Header: at(tar.Header{Typeflag: tar.TypeChar, Name: "dev/null", Mode: 0o666, Devmajor: 1, Devminor: 3})},
			{Header: at(tar.Header{Typeflag: tar.TypeBlock, Name: "dev/sda", Mode: 0o660, Devmajor: 8})},
			{Header: at(tar.Header{Typeflag: tar.TypeFifo, Name: "run/fifo", Mode: 0o600})},
		},
		"xattrs": {
			file(at(tar.Header{Name: "ping", Mode: 0o755, PAXRecords: map[string]string{
				"SCHILY.xattr.security.capability": "\x01\x00\x00\x02\x00\x20\x00\x00", "SCHILY.xattr.user.b": "2", "SCHILY.xattr.user.B": "1",
			}}), "ping"),
			file(at(tar.Header{Name: "none", Mode: 0o755}), "none"),
		},
		"long names as PAX": {
			file(at(tar.Header{Name: long, Mode: 0o644, Format: tar.FormatPAX}), "long"),
			{Header: at(tar.Header{Typeflag: tar.TypeSymlink, Name: "link", Linkname: long, Format: tar.FormatPAX})},
		},
		"long names as GNU": {
			file(at(tar.Header{Name: long, Mode: 0o644, Format: tar.FormatGNU}), "long, too"),
			{Header: at(tar.Header{Typeflag: tar.TypeSymlink, Name: "link", Linkname: long, Format: tar.FormatGNU})},
		},
		"PAX": {
			file(tar.Header{
				Name: "größe/文件", Mode: 0o644, Uid: 1 << 24, Gid: 1<<24 + 1, Uname: "müller", Gname: "gruppe", ModTime: time.Unix(1420070400, 999_000_000), Format: tar.FormatPAX,
			}, "content"),
			file(tar.Header{Name: "before 1970", ModTime: time.Unix(-5, 500_000_000), Format: tar.FormatPAX}, "x"),
		},
	}
	var all []layer
	for name, entries := range made {
		all = append(all, layer{name, archived(t, entries...), entries})
	}
	regular := entry{tar.Header{Typeflag: tar.TypeReg, Name: "hole", Mode: 0o644, Uid: 7, Gid: 8, Size: int64(len(sparse)), ModTime: when, Uname: "u", Gname: "g"}, sparse}
	gnu := regular
	gnu.Typeflag = tar.TypeGNUSparse
	ids := map[int]string{0: "hole", 100: "0000644", 108: "0000007", 116: "0000010", 136: octal(when.Unix()), 265: "u", 297: "g"}
	with := func(more map[int]string) map[int]string {
		out := make(map[int]string)
		for _, m := range []map[int]string{ids, more} {
			for k, v := range m {
				out[k] = v
			}
		}
		return out
	}
	data := sparse[8192 : 8192+512]
	// https://www.gnu.org/software/tar/manual/html_node/Sparse-Formats.html
	all = append(all, layer{"sparse as old GNU", slices.Concat(
		header(with(map[int]string{
			124: "00000001000", 156: "S", 257: "ustar  \x00",
			386: "00000020000", 398: "00000001000", 410: "00000022750", 422: "00000000000", 483: octal(int64(len(sparse))),
		})), data, make([]byte, 1024),
	), []entry{gnu}})
	records := pax("GNU.sparse.major=1", "GNU.sparse.minor=0", "GNU.sparse.name=hole", fmt.Sprintf("GNU.sparse.realsize=%d", len(sparse)))
	all = append(all, layer{"sparse as PAX", slices.Concat(
		header(map[int]string{0: "PaxHeaders/hole", 100: "0000644", 124: octal(int64(len(records))), 136: "00000000000", 156: "x", 257: "ustar\x0000"}),
		block(map[int]string{0: records}),
		header(with(map[int]string{0: "GNUSparseFile.0/hole", 124: octal(1024), 156: "0", 257: "ustar\x0000"})),
		block(map[int]string{0: "2\n8192\n512\n9704\n0\n"}), data, make([]byte, 1024),
	), []entry{regular}})
	old := entry{tar.Header{Typeflag: 0, Name: "old", Mode: 0o644, Size: 3, ModTime: when}, []byte("old")}
	dir := entry{tar.Header{Typeflag: 0, Name: "dir/", Mode: 0o755, ModTime: when}, nil}
	all = append(all, layer{"older than POSIX", slices.Concat(
		header(map[int]string{0: "dir/", 100: "0000755", 108: "0000000", 116: "0000000", 124: "00000000000", 136: octal(when.Unix())}),
		header(map[int]string{0: "old", 100: "0000644", 108: "0000000", 116: "0000000", 124: "00000000003", 136: octal(when.Unix())}),
		block(map[int]string{0: "old"}), make([]byte, 1024),
	), []entry{old, dir}})
	return all
}

// pax are PAX records. https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html
func pax(records ...string) string {
	out := ""
	for _, r := range records {
		n := len(r) + 3 // a blank, a newline, and at least one digit
		for len(fmt.Sprint(n))+len(r)+2 != n {
			n++
		}
		out += fmt.Sprintf("%d %s\n", n, r)
	}
	return out
}

// TestComputeAsSpecified compares the tarsums of layers with those that come of the specification
// and what is in the layers.
func TestComputeAsSpecified(t *testing.T) {
	all := layersOf(t)
	if len(all) < 10 {
		t.Fatalf("%d layers", len(all))
	}
	seen := make(map[string]string)
	for _, l := range all {
		for _, v := range []tarsum.Version{tarsum.Version0, tarsum.Version1, tarsum.VersionDev} {
			want := specified(v, l.entries)
			if other, ok := seen[want]; ok {
				t.Errorf("%s and %s have one sum", l.name, other)
			}
			seen[want] = l.name
			for form, p := range map[string][]byte{"plain": l.archive, "gzip": compressed(t, l.archive)} {
				if got, err := tarsum.Compute(bytes.NewReader(p), v); err != nil || got != want {
					t.Errorf("%s, %s, %s: %s, %v; want %s", l.name, v, form, got, err, want)
				}
			}
		}
	}
}

// TestComputeIgnoresOrder has the entries of a layer in another order.
func TestComputeIgnoresOrder(t *testing.T) {
	a, b := file(tar.Header{Name: "a"}, "a"), file(tar.Header{Name: "b"}, "b")
	one, err := tarsum.Compute(bytes.NewReader(archived(t, a, b)), tarsum.Version1)
	if err != nil {
		t.Fatal(err)
	}
	if two, err := tarsum.Compute(bytes.NewReader(archived(t, b, a)), tarsum.Version1); err != nil || one != two {
		t.Errorf("%s, %s, %v", one, two, err)
	}
}

func TestComputeOfAnUnknownVersion(t *testing.T) {
	if _, err := tarsum.Compute(strings.NewReader(""), "tarsum.v2"); !errors.Is(err, tarsum.ErrLayerTarSumVersionUnsupported) {
		t.Errorf("Compute: %v", err)
	}
}
