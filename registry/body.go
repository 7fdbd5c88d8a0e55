package registry

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"time"
)

// BodyLimits bound how slowly a client may send the body of a request. A body that exceeds
// a limit ends with an error that is os.ErrDeadlineExceeded, and the answer is 408. Only
// the time counts that the registry spends reading: it may wait for the store, or for
// memory, as long as it must. [Handler] enforces the limits; callers of package blobstore
// that don't serve through it set read deadlines of their own.
type BodyLimits struct {
	// Timeout is how long a body may stand still, and how far it may fall behind MinRate;
	// 0 is no limit.
	Timeout time.Duration
	// MinRate is how many bytes per second a body brings at least, 0 for any number. A body
	// that was faster at one time may not be slower for longer at another.
	MinRate int64
}

// The limits of a configuration that names none.
const (
	DefaultBodyTimeout = time.Minute
	DefaultBodyMinRate = 500
)

// errBodyTimeout is how Reads of a body fail that has exceeded a limit.
var errBodyTimeout = fmt.Errorf("the client sends too slowly: %w", os.ErrDeadlineExceeded)

// past is a deadline that has been exceeded.
var past = time.Unix(1, 0)

// body is a request's body with its limits. A timer rather than the connection's own
// deadline bounds each Read: HTTP/1 keeps a deadline for what it reads next, such as the
// byte that tells it of a disconnect, and HTTP/2 has its main loop set each.
type body struct {
	io.ReadCloser
	limits BodyLimits
	conn   *http.ResponseController
	http1  bool
	cancel context.CancelCauseFunc // of the request's context

	mu       sync.Mutex
	timer    *time.Timer   // nil before the first Read
	until    time.Time     // when the Read under way is to end; zero without one
	behind   time.Duration // the body's delay behind MinRate
	answered bool
	ended    bool // nobody reads from the connection any more
	expired  bool
}

// limitBody puts limits on r's body. The body is nil where there is none to be limited.
func limitBody(w http.ResponseWriter, r *http.Request, limits BodyLimits, cancel context.CancelCauseFunc) *body {
	if limits.Timeout <= 0 || r.ContentLength == 0 {
		return nil
	}
	b := &body{ReadCloser: r.Body, limits: limits, conn: http.NewResponseController(w), http1: r.ProtoMajor == 1, cancel: cancel}
	r.Body = b
	return b
}

func (b *body) Read(p []byte) (int, error) {
	began, err := b.begin()
	if err != nil {
		return 0, err
	}
	n, err := b.ReadCloser.Read(p)
	return n, b.end(began, n, err)
}

// Close reads on for a while in HTTP/1.
func (b *body) Close() error {
	began, err := b.begin()
	if err != nil {
		return b.ReadCloser.Close()
	}
	err = b.end(began, 0, b.ReadCloser.Close())
	b.finish()
	return err
}

// begin is called before the connection is read.
func (b *body) begin() (time.Time, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.behind >= b.limits.Timeout && !b.ended {
		b.expire()
		if b.http1 {
			_ = b.conn.SetReadDeadline(past) // the server would wait for the rest
		}
	}
	if b.expired {
		return time.Time{}, errBodyTimeout
	}
	if b.answered && b.http1 && !b.ended {
		_ = b.conn.SetReadDeadline(time.Time{})
	}
	now := time.Now()
	b.until = now.Add(b.limits.Timeout)
	if b.timer == nil {
		b.timer = time.AfterFunc(b.limits.Timeout, b.fire)
	} else {
		b.timer.Reset(b.limits.Timeout)
	}
	return now, nil
}

// end is called when the connection was read, with what came of it.
func (b *body) end(began time.Time, n int, err error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.timer.Stop()
	b.until = time.Time{}
	if b.expired {
		return errBodyTimeout
	}
	if b.limits.MinRate > 0 {
		due := time.Duration(n) * time.Second / time.Duration(b.limits.MinRate)
		b.behind = max(0, b.behind+time.Since(began)-due)
	}
	b.ended = b.ended || err != nil
	b.boundRest()
	return err
}

// fire is run by the timer.
func (b *body) fire() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.until.IsZero() || time.Now().Before(b.until) {
		return // the timer was that of a Read before
	}
	b.expire()
	_ = b.conn.SetReadDeadline(past)
}

// expire ends the body. It ends the request's context in HTTP/2 as HTTP/1 does, so that
// what is still to be done has the same time for it.
func (b *body) expire() {
	b.expired = true
	b.cancel(errBodyTimeout)
}

// leave is called when the handler answers: the server then reads the rest of the body
// itself, as far as it needs that to use the connection again.
func (b *body) leave() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.answered = true
	b.boundRest()
}

// boundRest sets the connection's own deadline when only the server may read on. The
// server takes it away at the body's end, and before the next request.
func (b *body) boundRest() {
	if b.answered && b.http1 && !b.ended && !b.expired {
		_ = b.conn.SetReadDeadline(time.Now().Add(b.limits.Timeout))
	}
}

// finish is called when nothing more is read from the connection on behalf of the
// body, or when the connection is not the server's any more.
func (b *body) finish() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ended = true
}

// timedOut reports whether the body has exceeded a limit.
func (b *body) timedOut() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.expired
}
