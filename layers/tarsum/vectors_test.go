package tarsum_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/blobdock/blobdock/layers/tarsum"
)

// archived is a tar archive of entries.
func archived(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		if err := w.WriteHeader(&e.Header); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(e.body); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// file is a regular file with a body.
func file(h tar.Header, body string) entry {
	h.Typeflag, h.Size = tar.TypeReg, int64(len(body))
	return entry{Header: h, body: []byte(body)}
}

func compressed(t testing.TB, p []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(p); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestVectors has the sums that the tests of Docker's own package had before it left names out, of
// archives that are made of the same headers.
// https://github.com/moby/moby/blob/v1.13.1/pkg/tarsum/tarsum_test.go
func TestVectors(t *testing.T) {
	names := tar.Header{Uid: 1000, Gid: 1000, Uname: "slartibartfast", Gname: "users"}
	with := func(h tar.Header, name string, xattrs ...string) tar.Header {
		h.Name = name
		for i := 0; i < len(xattrs); i += 2 {
			if h.PAXRecords == nil {
				h.PAXRecords = make(map[string]string)
			}
			h.PAXRecords["SCHILY.xattr."+xattrs[i]] = xattrs[i+1]
		}
		return h
	}
	collider := func(mtime int64, body string) entry {
		return file(tar.Header{
			Name: "file", Mode: 0o644, Uid: 1000, Gid: 1000, Uname: "vbatts", Gname: "vbatts", ModTime: time.Unix(mtime, 0),
		}, body)
	}
	older, newer := collider(1409861938, "farts\n"), collider(1409861993, "HOWDY\n")
	for _, tt := range []struct {
		name    string
		version tarsum.Version
		entries []entry
		want    string
	}{
		{"empty", tarsum.Version0, nil, "tarsum+sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
		{"empty", tarsum.Version1, nil, "tarsum.v1+sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
		{
			"no names", tarsum.Version0, []entry{file(tar.Header{Name: "file.txt", ModTime: time.Unix(0, 0)}, "")},
			"tarsum+sha256:626c4a2e9a467d65c33ae81f7f3dedd4de8ccaee72af73223c4bc4718cbc7bbd",
		},
		{
			"no names", tarsum.VersionDev, []entry{file(tar.Header{Name: "file.txt"}, "")},
			"tarsum.dev+sha256:6ffd43a1573a9913325b4918e124ee982a99c0f3cba90fc032a65f5e20bdd465",
		},
		{
			"names", tarsum.VersionDev, []entry{file(with(names, "another.txt"), "test")},
			"tarsum.dev+sha256:b38166c059e11fb77bef30bf16fba7584446e80fcc156ff46d47e36c5305d8ef",
		},
		{
			"xattrs", tarsum.VersionDev, []entry{file(with(names, "xattrs.txt", "user.key1", "value1", "user.key2", "value2"), "test")},
			"tarsum.dev+sha256:4cc2e71ac5d31833ab2be9b4f7842a14ce595ec96a37af4ed08f87bc374228cd",
		},
		{
			"xattrs of another case", tarsum.VersionDev, []entry{file(with(names, "xattrs.txt", "user.KEY1", "value1", "user.key2", "value2"), "test")},
			"tarsum.dev+sha256:65f4284fa32c0d4112dd93c3637697805866415b570587e4fd266af241503760",
		},
		{
			"xattrs do not count", tarsum.Version0, []entry{file(with(names, "xattrs.txt", "user.NOT", "CALCULATED"), "test")},
			"tarsum+sha256:c12bb6f1303a9ddbf4576c52da74973c00d14c109bcfa76b708d5da1154a07fa",
		},
		{
			"a megabyte", tarsum.Version0, []entry{file(tar.Header{Name: "/testdata0", Mode: 0o755}, strings.Repeat("\x00", 1<<20))},
			"tarsum+sha256:75258b2c5dcd9adfe24ce71eeca5fc5019c7e669912f15703ede92b1a60cb11f",
		},
		{"one path", tarsum.Version0, []entry{older, newer}, "tarsum+sha256:08653904a68d3ab5c59e65ef58c49c1581caa3c34744f8d354b3f575ea04424a"},
		{"one path in another order", tarsum.Version0, []entry{newer, older}, "tarsum+sha256:b51c13fbefe158b5ce420d2b930eef54c5cd55c50a2ee4abdddea8fa9f081e0d"},
		{"newer", tarsum.Version0, []entry{newer}, "tarsum+sha256:381547080919bb82691e995508ae20ed33ce0f6948d41cafbeb70ce20c73ee8e"},
		{"older", tarsum.Version0, []entry{older}, "tarsum+sha256:f886e431c08143164a676805205979cd8fa535dfcef714db5515650eea5a7c0f"},
	} {
		p := archived(t, tt.entries...)
		for form, p := range map[string][]byte{"plain": p, "gzip": compressed(t, p)} {
			if got, err := tarsum.Compute(bytes.NewReader(p), tt.version); err != nil || got != tt.want {
				t.Errorf("%s, %s, %s: %s, %v; want %s", tt.name, tt.version, form, got, err, tt.want)
			}
		}
	}
	if got, err := tarsum.Compute(strings.NewReader(""), tarsum.Version1); err != nil || got != "tarsum.v1+sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" {
		t.Errorf("no bytes: %s, %v", got, err)
	}
}

// TestVectorOfAnOldType has the sum that Docker's tests had of a file whose header has no type, as
// Go wrote it until 2018.
func TestVectorOfAnOldType(t *testing.T) {
	const want = "tarsum+sha256:8bf12d7e67c51ee2e8306cba569398b1b9f419969521a12ffb9d8875e8836738"
	p := slices.Concat(
		header(map[int]string{0: "/testdata0", 100: "0000755", 108: "0000000", 116: "0000000", 124: octal(1 << 20), 136: octal(0), 257: "ustar\x0000"}),
		make([]byte, 1<<20+1024),
	)
	if got, err := tarsum.Compute(bytes.NewReader(p), tarsum.Version0); err != nil || got != want {
		t.Errorf("%s, %v; want %s", got, err, want)
	}
}

func TestComputeOfNoArchive(t *testing.T) {
	whole := archived(t, file(tar.Header{Name: "a"}, strings.Repeat("a", 2000)))
	zipped := compressed(t, whole)
	broken := bytes.Clone(zipped)
	broken[len(broken)-5] ^= 1 // of the checksum
	for name, p := range map[string][]byte{
		"text":             bytes.Repeat([]byte("hello, world"), 100),
		"ends in a header": whole[:300],
		"ends in a body":   whole[:1000],
		"short gzip":       zipped[:len(zipped)-20],
		"broken gzip":      broken,
		"two bytes":        {0x1f, 0x8b},
	} {
		if got, err := tarsum.Compute(bytes.NewReader(p), tarsum.Version1); err == nil {
			t.Errorf("%s: %s", name, got)
		} else if !isInvalid(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestComputeStreams reads content that is nowhere as a whole.
func TestComputeStreams(t *testing.T) {
	const size = 256 << 20
	r, w := io.Pipe()
	go func() {
		tw := tar.NewWriter(w)
		_ = tw.WriteHeader(&tar.Header{Name: "large", Typeflag: tar.TypeReg, Size: size})
		zeros := make([]byte, 1<<20)
		for range size / len(zeros) {
			_, _ = tw.Write(zeros)
		}
		_ = w.CloseWithError(tw.Close())
	}()
	before := allocated()
	if _, err := tarsum.Compute(r, tarsum.Version1); err != nil {
		t.Fatal(err)
	}
	if got := allocated() - before; got > 4<<20 {
		t.Errorf("%d bytes were allocated", got)
	}
}
