// Package body moves request bodies for the embedded drivers.
package body

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"

	"github.com/blobdock/blobdock/driver"
)

// chunk is how many bytes are moved between two looks at the context.
const chunk = 256 << 10

// Copy writes all of body to w, from its start and whatever its seek position.
// A body that ends early is io.ErrUnexpectedEOF; one that does not have the
// digest sum, when that is given, is Corrupt.
func Copy(ctx context.Context, w io.Writer, body *io.SectionReader, sum []byte) error {
	r := io.NewSectionReader(body, 0, body.Size())
	hash := sha256.New()
	if len(sum) > 0 {
		w = io.MultiWriter(w, hash)
	}
	buf := make([]byte, min(chunk, body.Size()))
	var n int64
	for n < body.Size() {
		if err := ctx.Err(); err != nil {
			return err
		}
		m, err := r.Read(buf)
		if _, werr := w.Write(buf[:m]); werr != nil {
			return werr
		}
		n += int64(m)
		switch {
		case err == io.EOF && n < body.Size():
			return fmt.Errorf("body ends at %d of %d bytes: %w", n, body.Size(), io.ErrUnexpectedEOF)
		case err != nil && err != io.EOF:
			return fmt.Errorf("body at %d of %d bytes: %w", n, body.Size(), err)
		}
	}
	if len(sum) > 0 {
		if got := hash.Sum(nil); !bytes.Equal(got, sum) {
			return fmt.Errorf("body has sha256 %x, want %x: %w", got, sum, driver.Corrupt)
		}
	}
	return ctx.Err()
}
