package blobstore

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"
)

func TestPipe(t *testing.T) {
	p := make([]byte, 3*pipeBuffer+17)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(p)
	broken := errors.New("broken")
	for name, tt := range map[string]struct {
		r    io.Reader
		want error
	}{
		"all":               {bytes.NewReader(p), nil},
		"end with the last": {iotest.DataErrReader(bytes.NewReader(p)), nil},
		"in halves":         {iotest.HalfReader(bytes.NewReader(p)), nil},
		"breaks":            {io.MultiReader(bytes.NewReader(p), iotest.ErrReader(broken)), broken},
		"breaks with data":  {iotest.DataErrReader(io.MultiReader(bytes.NewReader(p), iotest.ErrReader(broken))), broken},
	} {
		var out bytes.Buffer
		n, err := pipe(&out, tt.r, func() { t.Errorf("%s: stopped", name) })
		if !errors.Is(err, tt.want) || n != int64(len(p)) || !bytes.Equal(out.Bytes(), p) {
			t.Errorf("%s: %d bytes and %v, want %d and %v", name, n, err, len(p), tt.want)
		}
	}
}

// hangs delivers something, and then nothing until it is stopped.
type hangs struct {
	first bool
	stop  chan struct{}
}

func (h *hangs) Read(p []byte) (int, error) {
	if !h.first {
		h.first = true
		return len(p), nil
	}
	<-h.stop
	return 0, errors.New("stopped")
}

type full struct{ err error }

func (f full) Write([]byte) (int, error) { return 0, f.err }

// A client that goes away ends a read that hangs.
func TestPipeStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &hangs{stop: make(chan struct{})}
		gone := errors.New("gone")
		began := time.Now()
		if n, err := pipe(full{gone}, h, func() { close(h.stop) }); n != 0 || !errors.Is(err, gone) || time.Since(began) > 0 {
			t.Errorf("%d bytes and %v, want %v", n, err, gone)
		}
	})
}
