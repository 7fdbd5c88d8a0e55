// Package meter observes the calls to a bucket: how many of each verb, how they
// ended, how long they took, and how many bytes went which way.
package meter

import (
	"context"
	"io"
	"sync/atomic"
	"time"

	"github.com/blobdock/blobdock/driver"
)

// Event is one call that has ended. For Open that is when the body was read to
// its end, broke, or was closed.
type Event struct {
	Op       driver.Op
	Key      string
	Err      error         // nil when the call succeeded
	Duration time.Duration // of the call; for Open until its reader was there
	Size     int64         // bytes of the body that was to be sent
	Sent     int64         // bytes of the body that were read for sending, repeats included
	Received int64         // bytes of the body that were delivered
}

// Outcome is that of Err.
func (e Event) Outcome() string { return Outcome(e.Err) }

// Outcome is "ok", or what kind of error ended a call.
func Outcome(err error) string {
	switch {
	case err == nil:
		return "ok"
	case driver.KindOf(err) == driver.Unknown && driver.IsContextError(err):
		return "context ended"
	default:
		return driver.KindOf(err).String()
	}
}

// Observer is told of each call. It is called by many goroutines at once.
type Observer func(Event)

// Wrap tells o of every call to b.
func Wrap(b driver.Bucket, o Observer) driver.Bucket {
	return driver.Wrap(b, o.around)
}

func (o Observer) around(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
	e := Event{Op: c.Op, Key: c.Key}
	var sent atomic.Int64
	if c.Body != nil {
		e.Size = c.Body.Size()
		c.Body = io.NewSectionReader(countingReaderAt{c.Body, &sent}, 0, c.Body.Size())
	}
	start := time.Now()
	err := next(ctx)
	e.Duration, e.Err, e.Sent = time.Since(start), err, sent.Load()
	if err == nil && c.Reader != nil {
		r := *c.Reader
		r.ReadCloser = &countingReader{r: r.ReadCloser, event: e, tell: o}
		c.Reader = &r
		return nil
	}
	o(e)
	return err
}

// countingReaderAt counts what is read of a request's body.
type countingReaderAt struct {
	body *io.SectionReader
	n    *atomic.Int64
}

func (c countingReaderAt) ReadAt(p []byte, off int64) (int, error) {
	n, err := c.body.ReadAt(p, off)
	c.n.Add(int64(n))
	return n, err
}

// Bytes implements driver.Memory, if the body does.
func (c countingReaderAt) Bytes(off, n int64) []byte {
	p := driver.BodyBytes(c.body, off, n)
	c.n.Add(int64(len(p)))
	return p
}

// countingReader counts what is read of an answer's body, and tells when that
// has ended.
type countingReader struct {
	r     io.ReadCloser
	event Event
	tell  Observer
	told  bool
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.event.Received += int64(n)
	if err != nil {
		if err != io.EOF {
			c.event.Err = err
		}
		c.end()
	}
	return n, err
}

func (c *countingReader) Close() error {
	err := c.r.Close()
	c.end()
	return err
}

func (c *countingReader) end() {
	if !c.told {
		c.told = true
		c.tell(c.event)
	}
}
