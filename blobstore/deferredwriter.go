package blobstore

import (
	"errors"
	"io"
	"net/http"
	"sync"
	"time"
)

const (
	// streamBuffer is what a stream moves at a time: a GiB takes a third less CPU than by
	// io.Copy's 32 KiB, as client, store and this process wake each other less often.
	// More than this, or a second goroutine that reads ahead, gains nothing
	// (docs/bench.md, pull-stream).
	streamBuffer = 1 << 20
	// manyStreams have such a buffer at a time; io.Copy's has to do for more.
	manyStreams = 64
	// gatherTime is for how long bytes are held back while more come.
	gatherTime = 100 * time.Millisecond
)

var (
	streams       = make(chan struct{}, manyStreams)
	streamBuffers = sync.Pool{New: func() any { return new([streamBuffer]byte) }}
)

// deferredHeaderWriter is a ResponseWriter that holds the status back until there is
// something to send, so that a body that fails at once can still be answered by an error.
type deferredHeaderWriter struct {
	http.ResponseWriter
	status  int // 0 before WriteHeader
	sent    bool
	partial bool // 200 is 206: the body is parts of the content
}

func (d *deferredHeaderWriter) WriteHeader(status int) {
	if d.status == 0 {
		d.status = status
		if d.partial && status == http.StatusOK {
			d.status = http.StatusPartialContent
		}
	}
}

func (d *deferredHeaderWriter) Write(p []byte) (int, error) {
	d.flush()
	return d.ResponseWriter.Write(p)
}

// ReadFrom implements io.ReaderFrom, for http.ServeContent.
func (d *deferredHeaderWriter) ReadFrom(r io.Reader) (int64, error) {
	if whole, ok := r.(*io.LimitedReader); !ok || whole.N >= streamBuffer {
		select {
		case streams <- struct{}{}:
			defer func() { <-streams }()
			buf := streamBuffers.Get().(*[streamBuffer]byte)
			defer streamBuffers.Put(buf)
			return gather(d, r, buf[:])
		default:
		}
	}
	return io.Copy(struct{ io.Writer }{d}, r)
}

// gather copies r to w. The first bytes are written at once; then half of buf is
// gathered for each write, or the bytes of one gatherTime: that wakes the client less
// often, and TLS delivers no more than 16 KiB at a time.
func gather(w io.Writer, r io.Reader, buf []byte) (total int64, err error) {
	for least := 1; err == nil; least = len(buf) / 2 {
		n, began := 0, time.Now()
		for n < least && err == nil && (n == 0 || time.Since(began) < gatherTime) {
			var m int
			m, err = r.Read(buf[n:])
			n += m
		}
		if n == 0 {
			break // a status that is held back stays so
		}
		m, werr := w.Write(buf[:n])
		total += int64(m)
		if werr != nil {
			return total, werr
		}
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return total, err
}

// flush sends the status, unless that is done or there is none.
func (d *deferredHeaderWriter) flush() {
	if !d.sent && d.status != 0 {
		d.ResponseWriter.WriteHeader(d.status)
	}
	d.sent = true
}

// Unwrap is for http.ResponseController.
func (d *deferredHeaderWriter) Unwrap() http.ResponseWriter { return d.ResponseWriter }
