package tarsum_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/blobdock/blobdock/layers/tarsum"
)

// sparse is an archive of a file of which nothing is stored.
func sparse(t testing.TB, size int64) []byte {
	t.Helper()
	records := ""
	for _, r := range [][2]string{{"GNU.sparse.major", "1"}, {"GNU.sparse.minor", "0"}, {"GNU.sparse.name", "hollow"}, {"GNU.sparse.realsize", fmt.Sprint(size)}} {
		n := len(r[0]) + len(r[1]) + 3
		n += len(fmt.Sprint(n + len(fmt.Sprint(n))))
		records += fmt.Sprintf("%d %s=%s\n", n, r[0], r[1])
	}
	var buf bytes.Buffer
	block := func(name string, typeflag byte, content string) {
		var h [512]byte
		copy(h[:], name)
		copy(h[100:], "0000644\x00")
		copy(h[108:], "0000000\x000000000\x00")
		copy(h[124:], fmt.Sprintf("%011o\x00", len(content)))
		copy(h[136:], "00000000000\x00")
		copy(h[148:], "        ")
		h[156] = typeflag
		copy(h[257:], "ustar\x0000")
		sum := 0
		for _, c := range h {
			sum += int(c)
		}
		copy(h[148:], fmt.Sprintf("%06o\x00 ", sum))
		buf.Write(h[:])
		buf.WriteString(content)
		buf.Write(make([]byte, (512-len(content)%512)%512))
	}
	block("pax", tar.TypeXHeader, records)
	block("hollow", tar.TypeReg, "0\n"+strings.Repeat("\x00", 510)) // no piece of it
	buf.Write(make([]byte, 1024))
	return buf.Bytes()
}

func TestHoles(t *testing.T) {
	if _, err := tarsum.Compute(bytes.NewReader(sparse(t, 1<<20)), tarsum.Version1); err != nil {
		t.Errorf("a file with a hole: %v", err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := tarsum.Compute(bytes.NewReader(sparse(t, 1<<60)), tarsum.Version1)
		done <- err
	}()
	select {
	case err := <-done:
		if !errors.Is(err, tarsum.ErrLayerInvalidTarsum) {
			t.Errorf("%v, want %v", err, tarsum.ErrLayerInvalidTarsum)
		}
	case <-time.After(20 * time.Second):
		t.Error("it reads an exabyte of zeros")
	}
}
