package driver

import "io"

// Memory is what the io.ReaderAt under a body may implement besides, when its
// bytes lie in memory: a driver can then send and hash them without copying.
type Memory interface {
	// Bytes returns bytes from off on, at most n and at least one, nil at the end.
	// They must not be changed.
	Bytes(off, n int64) []byte
}

// BodyBytes returns bytes of body from off on, at most n, without copying them; nil
// at its end, and wherever they are not in memory, but have to be read.
func BodyBytes(body *io.SectionReader, off, n int64) []byte {
	for {
		r, base, size := body.Outer()
		if n = min(n, size-off); off < 0 || n <= 0 {
			return nil
		}
		off += base
		switch r := r.(type) {
		case *io.SectionReader:
			body = r
		case Memory:
			return r.Bytes(off, n)
		default:
			return nil
		}
	}
}
