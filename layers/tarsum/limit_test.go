package tarsum

import (
	"archive/tar"
	"bytes"
	"testing"
)

func TestComputeOfTooManyFiles(t *testing.T) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for range 3 {
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "a"}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for most, want := range map[int]string{3: "", 2: "more than 2 entries"} {
		_, err := compute(bytes.NewReader(b.Bytes()), Version1, most)
		if want == "" && err != nil || want != "" && (err == nil || err.Error() != want) {
			t.Errorf("at most %d: %v, want %q", most, err, want)
		}
	}
}
