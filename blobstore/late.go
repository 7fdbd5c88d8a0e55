package blobstore

import (
	"io"
	"net/http"
	"sync"
)

// streamBuffer is what a stream moves at a time. A GiB takes a fifth less time and CPU
// than by io.Copy's 32 KiB, as there are fewer calls into the kernel; more than this, or
// a second goroutine that reads ahead, gains nothing (docs/bench.md, pull-stream).
const streamBuffer = 512 << 10

var streamBuffers = sync.Pool{New: func() any { return new([streamBuffer]byte) }}

// late is a ResponseWriter that holds the status back until there is something to
// send, so that a body that fails at once can still be answered by an error.
type late struct {
	http.ResponseWriter
	status int // 0 before WriteHeader
	sent   bool
}

func (l *late) WriteHeader(status int) {
	if l.status == 0 {
		l.status = status
	}
}

func (l *late) Write(p []byte) (int, error) {
	l.flush()
	return l.ResponseWriter.Write(p)
}

// ReadFrom implements io.ReaderFrom, for http.ServeContent.
func (l *late) ReadFrom(r io.Reader) (int64, error) {
	w := struct{ io.Writer }{l}
	if whole, ok := r.(*io.LimitedReader); ok && whole.N < 2*streamBuffer {
		return io.Copy(w, r)
	}
	buf := streamBuffers.Get().(*[streamBuffer]byte)
	defer streamBuffers.Put(buf)
	return io.CopyBuffer(w, struct{ io.Reader }{r}, buf[:])
}

// flush sends the status, unless that is done or there is none.
func (l *late) flush() {
	if !l.sent && l.status != 0 {
		l.ResponseWriter.WriteHeader(l.status)
	}
	l.sent = true
}

// Unwrap is for http.ResponseController.
func (l *late) Unwrap() http.ResponseWriter { return l.ResponseWriter }
