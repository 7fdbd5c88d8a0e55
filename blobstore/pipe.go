package blobstore

import (
	"errors"
	"io"
	"sync"
)

const (
	// pipeBuffer is large enough that to pass it on costs little next to moving its
	// bytes.
	pipeBuffer = 256 << 10
	// pipeBuffers of a stream: one is filled while another is sent.
	pipeBuffers = 2
	// pipeMin is the size below which a second goroutine is not worth it.
	pipeMin = 2 * pipeBuffer
)

var pipeBytes = sync.Pool{New: func() any { return new([pipeBuffer]byte) }}

// pipe copies from r to w and reads ahead while it writes, so that the store and
// the client work at the same time. stop is called when w fails, and must make a
// Read that is under way return. Nothing uses r any more when pipe returns.
func pipe(w io.Writer, r io.Reader, stop func()) (n int64, err error) {
	p := &piped{full: make(chan piece, pipeBuffers), free: make(chan *[pipeBuffer]byte, pipeBuffers), enough: make(chan struct{})}
	for range pipeBuffers {
		p.free <- pipeBytes.Get().(*[pipeBuffer]byte)
	}
	go p.fill(r)
	for f := range p.full {
		if err == nil {
			var m int
			m, err = w.Write(f.buf[:f.n])
			n += int64(m)
			if err != nil {
				close(p.enough)
				stop()
			} else if !errors.Is(f.err, io.EOF) {
				err = f.err
			}
		}
		p.free <- f.buf
	}
	for range pipeBuffers {
		pipeBytes.Put(<-p.free)
	}
	return n, err
}

type piped struct {
	full   chan piece
	free   chan *[pipeBuffer]byte
	enough chan struct{} // closed when nothing more is wanted
}

type piece struct {
	buf *[pipeBuffer]byte
	n   int
	err error
}

// fill ends with the first error, or when there is enough.
func (p *piped) fill(r io.Reader) {
	defer close(p.full)
	for {
		select {
		case <-p.enough:
			return
		case buf := <-p.free:
			n, err := r.Read(buf[:])
			p.full <- piece{buf, n, err}
			if err != nil {
				return
			}
		}
	}
}
