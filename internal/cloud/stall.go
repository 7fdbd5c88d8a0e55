package cloud

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// stallConn is given up when it moves no byte for limit. What is bounded is
// standing still: a long transfer that makes progress goes on.
//
// A store that refuses a body may answer and reset the connection before all of
// it was sent. The answer has arrived by then, but a write that fails makes
// net/http drop it. So once part of a request is out, such a failure is kept
// from the writer, and what the reader finds decides.
type stallConn struct {
	net.Conn
	limit  time.Duration
	begun  atomic.Bool // something was written
	gather gatherer
}

func (c *stallConn) Write(p []byte) (int, error) {
	n, err := c.write(p)
	if c.begun.Swap(true) && (errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)) {
		return len(p), nil
	}
	return n, err
}

// write goes on for as long as some of p gets out within limit.
func (c *stallConn) write(p []byte) (n int, err error) {
	for {
		// The reply is awaited from before the body is sent until long after, so what
		// is written puts off the reader's deadline as well.
		if err := c.SetDeadline(time.Now().Add(c.limit)); err != nil {
			return n, err
		}
		m, err := c.Conn.Write(p[n:])
		n += m
		if m == 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, err
		}
	}
}

// sendBytes is what is handed to the kernel at a time: a quarter of the calls that
// net/http's own 32 KiB take, and of the deadlines set.
const sendBytes = 128 << 10

var sendBuffers = sync.Pool{New: func() any { return new([sendBytes]byte) }}

// ReadFrom implements io.ReaderFrom, by which net/http sends bodies: an io.LimitedReader
// of as many bytes as were announced. A body that can write itself is not copied.
func (c *stallConn) ReadFrom(r io.Reader) (int64, error) {
	if limited, ok := r.(*io.LimitedReader); ok {
		if body, ok := limited.R.(io.WriterTo); ok {
			n, err := body.WriteTo(&atMost{w: c, n: &limited.N})
			if errors.Is(err, errEnough) {
				err = nil
			}
			return n, err
		}
	}
	buf := sendBuffers.Get().(*[sendBytes]byte)
	defer sendBuffers.Put(buf)
	return io.CopyBuffer(struct{ io.Writer }{c}, struct{ io.Reader }{r}, buf[:])
}

// atMost writes n bytes and no more.
type atMost struct {
	w io.Writer
	n *int64
}

var errEnough = errors.New("all bytes that were announced are sent")

func (a *atMost) Write(p []byte) (int, error) {
	p, rest := p[:min(int64(len(p)), *a.n)], int64(len(p)) > *a.n
	n, err := a.w.Write(p)
	*a.n -= int64(n)
	if err == nil && rest {
		err = errEnough
	}
	return n, err
}
