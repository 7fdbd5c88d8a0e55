package cloud

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A write that is slow, but goes on, is not given up; one that stands still is.
func TestStallingWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit = 100 * time.Millisecond
		near, far := net.Pipe()
		defer near.Close()
		defer far.Close()
		c := &stallConn{Conn: near, limit: limit}
		const text = "slowly, but it goes on"
		read := make(chan string)
		go func() {
			var got []byte
			for range text {
				time.Sleep(limit / 10)
				one := make([]byte, 1)
				_, _ = far.Read(one)
				got = append(got, one...)
			}
			read <- string(got)
		}()
		began := time.Now()
		if n, err := c.Write([]byte(text)); n != len(text) || err != nil {
			t.Errorf("wrote %d bytes (%v), want %d", n, err, len(text))
		}
		if got, want := <-read, limit/10*time.Duration(len(text)); got != text || time.Since(began) != want {
			t.Errorf("%q arrived in %v, want %q in %v", got, time.Since(began), text, want)
		}
		if n, err := c.Write([]byte(text)); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("nobody reads: wrote %d bytes (%v), want %v", n, err, os.ErrDeadlineExceeded)
		}
	})
}

// memory is a body in memory.
type memory struct{ p []byte }

func (m memory) Bytes(off, n int64) []byte { return m.p[off:min(off+n, int64(len(m.p)))] }

func (m memory) ReadAt(p []byte, off int64) (int, error) {
	return bytes.NewReader(m.p).ReadAt(p, off)
}

func (m memory) body() *io.SectionReader { return io.NewSectionReader(m, 0, int64(len(m.p))) }

// caught is a connection that keeps what is written to it, as it comes.
type caught struct {
	net.Conn
	writes [][]byte
}

func (c *caught) SetDeadline(time.Time) error { return nil }

func (c *caught) Write(p []byte) (int, error) {
	c.writes = append(c.writes, p)
	return len(p), nil
}

func (c *caught) all() string { return string(bytes.Join(c.writes, nil)) }

// A body in memory reaches the connection without a copy, and no more of it than
// was announced.
func TestSendingMemory(t *testing.T) {
	m := memory{[]byte(strings.Repeat("0123456789", handBytes/4))}
	for _, announced := range []int64{int64(len(m.p)), handBytes + 5, 5} {
		raw := new(caught)
		c := &stallConn{Conn: raw, limit: time.Minute}
		up := NewRequestBody(m.body())
		first := make([]byte, 3) // net/http reads some along with the header
		if _, err := io.ReadFull(up, first); err != nil {
			t.Fatal(err)
		}
		want := m.p[3:announced]
		n, err := c.ReadFrom(io.LimitReader(up, int64(len(want))))
		if err != nil || n != int64(len(want)) || raw.all() != string(want) {
			t.Errorf("of %d bytes: sent %d (%v), or others", len(want), n, err)
		}
		if &raw.writes[0][0] != &m.p[3] {
			t.Errorf("of %d bytes: what is sent is a copy", len(want))
		}
		if left, _ := io.ReadAll(up); int64(len(left)) != int64(len(m.p))-announced {
			t.Errorf("of %d bytes: %d are left, want %d", len(want), len(left), int64(len(m.p))-announced)
		}
	}
}

// A body that is not in memory, and one that was released.
func TestSending(t *testing.T) {
	raw := new(caught)
	c := &stallConn{Conn: raw, limit: time.Minute}
	read := NewRequestBody(io.NewSectionReader(strings.NewReader("hello"), 0, 5))
	if n, err := c.ReadFrom(io.LimitReader(read, 5)); n != 5 || err != nil || raw.all() != "hello" {
		t.Errorf("sent %d (%v): %q", n, err, raw.all())
	}
	up := NewRequestBody(memory{[]byte("hello")}.body())
	up.Release()
	if n, err := c.ReadFrom(io.LimitReader(up, 5)); n != 0 || !errors.Is(err, errReleased) {
		t.Errorf("released: sent %d (%v), want %v", n, err, errReleased)
	}
}
