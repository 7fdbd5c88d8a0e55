package upload

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/blobdock/blobdock/driver"
)

// contentReader reads what a Commit is about to publish: the pieces, and the bytes behind them.
type contentReader struct {
	ctx    context.Context //nolint:containedctx // of the Commit, during which alone it is read
	bucket driver.Bucket
	pieces []piece
	tail   io.Reader
	body   *driver.Reader // of the first piece; nil when it is not open
	left   int64          // bytes of body
	err    error          // why the store could not be read, or the Commit's end
}

// contentReader reads what the Writer has. It was locked by lockWithTail.
func (w *Writer) contentReader(ctx context.Context) *contentReader {
	return &contentReader{ctx: ctx, bucket: w.engine.bucket, pieces: w.pieces, tail: w.tailBody().section()}
}

// Read implements io.Reader.
func (c *contentReader) Read(p []byte) (int, error) {
	if c.err == nil {
		c.err = c.ctx.Err() // what is in memory is read to no end, too, when nobody waits for it
	}
	for c.err == nil && len(c.pieces) > 0 {
		key := c.pieces[0].Key
		n, err := c.readPiece(p)
		if err != nil {
			c.err = fmt.Errorf("piece %q: %w", key, err)
		}
		if n > 0 {
			return n, nil
		}
	}
	if c.err != nil {
		return 0, c.err
	}
	return c.tail.Read(p)
}

// readPiece reads from the first piece, and goes to the next at its end.
func (c *contentReader) readPiece(p []byte) (int, error) {
	if c.body == nil {
		first := c.pieces[0]
		body, err := c.bucket.Open(c.ctx, first.Key, driver.Range{}, driver.ReadOptions{IfMatch: first.ETag})
		if err != nil {
			return 0, err
		}
		c.body, c.left = body, first.Size
	}
	n, err := c.body.Read(p)
	c.left -= int64(n)
	switch {
	case !errors.Is(err, io.EOF):
		return n, err
	case c.left != 0:
		return n, io.ErrUnexpectedEOF
	}
	c.close()
	c.pieces = c.pieces[1:]
	return n, nil
}

func (c *contentReader) close() {
	if c.body != nil {
		_ = c.body.Close()
		c.body = nil
	}
}
