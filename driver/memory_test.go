package driver_test

import (
	"io"
	"strings"
	"testing"

	"github.com/blobdock/blobdock/driver"
)

// inMemory hands out its bytes three at a time.
type inMemory struct{ *strings.Reader }

func (m inMemory) Bytes(off, n int64) []byte {
	p := make([]byte, min(n, 3))
	got, _ := m.ReadAt(p, off)
	return p[:got]
}

func TestBodyBytes(t *testing.T) {
	all := io.NewSectionReader(inMemory{strings.NewReader("0123456789")}, 0, 10)
	middle := io.NewSectionReader(io.NewSectionReader(all, 1, 8), 1, 5) // 23456
	for _, tt := range []struct {
		body   *io.SectionReader
		off, n int64
		want   string
	}{
		{all, 0, 10, "012"},
		{all, 8, 10, "89"},
		{all, 10, 1, ""},
		{all, -1, 1, ""},
		{all, 0, 0, ""},
		{middle, 0, 10, "234"},
		{middle, 3, 10, "56"},
		{middle, 4, 1, "6"},
		{middle, 5, 1, ""},
		{io.NewSectionReader(strings.NewReader("0123456789"), 0, 10), 0, 10, ""},
	} {
		if got := driver.BodyBytes(tt.body, tt.off, tt.n); string(got) != tt.want {
			t.Errorf("from %d on, %d bytes at most: got %q, want %q", tt.off, tt.n, got, tt.want)
		}
	}
}
