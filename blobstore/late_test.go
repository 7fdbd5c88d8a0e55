package blobstore

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
)

// pieces are what one Read after the other delivers, and the error of the last.
type pieces struct {
	left []string
	err  error
}

func (p *pieces) Read(b []byte) (int, error) {
	n := copy(b, p.left[0])
	if p.left[0] = p.left[0][n:]; p.left[0] == "" {
		p.left = p.left[1:]
	}
	if len(p.left) == 0 {
		return n, p.err
	}
	return n, nil
}

// writes are what one Write after the other gets.
type writes []string

func (w *writes) Write(p []byte) (int, error) {
	*w = append(*w, string(p))
	return len(p), nil
}

func TestGather(t *testing.T) {
	boom := errors.New("boom")
	for _, tt := range []struct {
		name string
		in   []string
		err  error
		want []string
	}{
		{"the first at once", []string{"a", "b", "cd", "ef", "g"}, io.EOF, []string{"a", "bcdef", "g"}},
		{"full buffers", []string{"0123456789abcdef", "x"}, io.EOF, []string{"01234567", "89abcdef", "x"}},
		{"breaks", []string{"a", "b", "c"}, boom, []string{"a", "bc"}},
		{"fails at once", []string{""}, boom, nil},
		{"all at once", []string{"abc"}, io.EOF, []string{"abc"}},
	} {
		var out writes
		n, err := gather(&out, &pieces{tt.in, tt.err}, make([]byte, 8))
		if tt.err == io.EOF && err != nil || tt.err != io.EOF && !errors.Is(err, tt.err) {
			t.Errorf("%s: %v", tt.name, err)
		}
		if !slices.Equal(out, tt.want) || n != int64(len(strings.Join(tt.want, ""))) {
			t.Errorf("%s: %d bytes in %q, want %q", tt.name, n, out, tt.want)
		}
	}
}
