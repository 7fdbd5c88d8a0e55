package cloud

import (
	"errors"
	"os"
	"time"
)

const (
	// longRead is more than net/http's buffers or TLS ask a connection for. A Read of so
	// much is one of a body, straight into its reader's memory, and net/http asks for no
	// more than there is still to come of that body.
	longRead = 256 << 10
	// mostGathered is what a long Read waits for at most.
	mostGathered = 1 << 20
	// patience is for how long a long Read waits for more than a byte. (Of a reply that
	// comes before its request is all sent it may be longer: what is written puts a
	// Read's deadline off.)
	patience = 100 * time.Millisecond
)

// gatherer has the kernel wake the reader of a connection when all is there that it
// asks for, rather than at each segment: bytes that come fast take a third less CPU
// (docs/bench.md, pull-stream).
type gatherer struct {
	least int  // bytes that have to be there, as last set; 0 is the kernel's own 1
	slow  bool // bytes of this body come so slowly that they are delivered as they come
}

// Read is that of the connection, but for a long p it waits for it to be full, up to
// mostGathered and for patience. A connection that moves no byte within limit is given up.
func (c *stallConn) Read(p []byte) (int, error) {
	limit := c.limit
	if len(p) < longRead {
		c.gather.slow = false
	} else if !c.gather.slow && c.await(min(len(p), mostGathered)) {
		wait := min(patience, limit/2)
		n, err := c.read(p, wait)
		if n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, err
		}
		c.gather.slow = true
		limit -= wait
	}
	c.await(1)
	return c.read(p, limit)
}

func (c *stallConn) read(p []byte, limit time.Duration) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(limit)); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}

// await has Reads wait for n bytes. It is false where that can't be had.
func (c *stallConn) await(n int) bool {
	if n == max(c.gather.least, 1) {
		return true
	}
	if !setLowWater(c.Conn, n) {
		return false
	}
	c.gather.least = n
	return true
}
