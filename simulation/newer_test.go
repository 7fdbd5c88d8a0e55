package simulation_test

import (
	"bytes"
	"context"
	"io"

	"github.com/blobdock/blobdock/driver"
)

// What begins the object of an upload's state is followed by the number of its format.
const (
	stateMagic         = "blobdock upload state\n"
	stateNow, stateNew = 1, 2
)

// newer is a bucket for a version of blobdock that writes states in another format. It reads both.
func newer(b driver.Bucket) driver.Bucket {
	return driver.Wrap(b, func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
		if c.Op == driver.OpPut && c.Body != nil {
			p := make([]byte, c.Body.Size())
			if _, err := c.Body.ReadAt(p, 0); err != nil && err != io.EOF {
				return err
			}
			c.Body = io.NewSectionReader(bytes.NewReader(reformat(p, stateNow, stateNew)), 0, int64(len(p)))
		}
		err := next(ctx)
		if err == nil && c.Op == driver.OpOpen {
			c.Reader.ReadCloser = translated(c.Reader.ReadCloser)
		}
		return err
	})
}

// reformat changes the format of a state, if p begins as one.
func reformat(p []byte, from, to byte) []byte {
	if n := len(stateMagic); bytes.HasPrefix(p, []byte(stateMagic)) && len(p) > n && p[n] == from {
		p[n] = to
	}
	return p
}

// translated reads a state of the newer format as one of today's.
func translated(r io.ReadCloser) io.ReadCloser {
	begin := make([]byte, len(stateMagic)+1)
	n, err := io.ReadFull(r, begin)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		err = nil
	}
	head := io.Reader(bytes.NewReader(reformat(begin[:n], stateNew, stateNow)))
	if err != nil {
		head = io.MultiReader(head, failing{err})
	}
	return struct {
		io.Reader
		io.Closer
	}{io.MultiReader(head, r), r}
}

// failing is a reader that fails.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }
