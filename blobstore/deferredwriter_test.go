package blobstore

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
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

// slowly delivers a byte each 60 milliseconds.
type slowly struct{ left int }

func (s *slowly) Read(p []byte) (int, error) {
	if s.left == 0 {
		return 0, io.EOF
	}
	s.left--
	time.Sleep(gatherTime * 6 / 10)
	return copy(p, "x"), nil
}

// Bytes that come slowly are not held back for long.
func TestGatherTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out writes
		if _, err := gather(&out, &slowly{5}, make([]byte, 100)); err != nil || !slices.Equal(out, []string{"x", "xx", "xx"}) {
			t.Errorf("written: %q (%v)", out, err)
		}
	})
}

// sink is a ResponseWriter that keeps nothing.
type sink struct{ io.Writer }

func (sink) Header() http.Header { return nil }
func (sink) WriteHeader(int)     {}

// More streams than have a large buffer are copied all the same, and give back what
// they had.
func TestManyStreams(t *testing.T) {
	p := make([]byte, streamBuffer)
	all := make([]*io.PipeWriter, 2*manyStreams)
	done := make(chan int64)
	for i := range all {
		var r *io.PipeReader
		r, all[i] = io.Pipe()
		go func() {
			n, err := (&deferredHeaderWriter{ResponseWriter: sink{io.Discard}}).ReadFrom(io.LimitReader(r, streamBuffer))
			if err != nil {
				t.Error(err)
			}
			done <- n
		}()
	}
	for len(streams) < manyStreams {
		time.Sleep(time.Millisecond)
	}
	for _, w := range all {
		go func() { _, _ = w.Write(p) }()
	}
	for range all {
		if n := <-done; n != streamBuffer {
			t.Errorf("%d bytes of %d", n, streamBuffer)
		}
	}
	if len(streams) != 0 {
		t.Errorf("%d streams at the end", len(streams))
	}
}
