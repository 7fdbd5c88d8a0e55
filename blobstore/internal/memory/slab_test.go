package memory

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"
)

// TestBuffer reads what was written across slabs of all sizes.
func TestBuffer(t *testing.T) {
	for _, size := range []int{0, 1, minSlab - 1, minSlab, minSlab + 1, 5*minSlab + 7, 3 << 20} {
		b := New(16 << 20)
		buf := b.Join(Client{}, nothing).NewBuffer()
		p := make([]byte, size)
		for i := range p {
			p[i] = byte(i * 7 >> 3)
		}
		for rest := p; len(rest) > 0; {
			if buf.Room() == 0 {
				s, err := buf.holder.Acquire(t.Context(), buf.Want(int64(len(rest))))
				if err != nil {
					t.Fatal(err)
				}
				buf.Add(s)
			}
			n := min(int64(len(rest)), buf.Room(), 5000)
			if _, err := buf.Write(rest[:n]); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		if buf.Size() != int64(size) {
			t.Errorf("size %d, want %d", buf.Size(), size)
		}
		if err := iotest.TestReader(buf.Section(), p); err != nil {
			t.Errorf("%d bytes: %v", size, err)
		}
		var got []byte
		for off := int64(0); off < buf.Size(); {
			part := buf.Bytes(off, 3000)
			got, off = append(got, part...), off+int64(len(part))
		}
		if !bytes.Equal(got, p) {
			t.Errorf("Bytes: %d other bytes of %d", len(got), size)
		}
		if buf.Bytes(-1, 1) != nil || buf.Bytes(buf.Size(), 1) != nil {
			t.Error("Bytes outside of the buffer")
		}
		if n, err := buf.ReadAt(make([]byte, 1), buf.Size()); n != 0 || !errors.Is(err, io.EOF) {
			t.Errorf("ReadAt behind the end: %d, %v", n, err)
		}
		if _, err := buf.Write(make([]byte, buf.Room()+1)); !errors.Is(err, io.ErrShortBuffer) {
			t.Errorf("Write of more than there is room for: %v", err)
		}
		if room := buf.Room(); size > 0 && room > int64(size)+minSlab {
			t.Errorf("%d bytes hold %d more", size, room)
		}
		buf.Release()
		if buf.Size() != 0 || buf.Room() != 0 || b.Usage().Used != 0 {
			t.Errorf("released: %d bytes, room for %d, %+v", buf.Size(), buf.Room(), b.Usage())
		}
		buf.Release() // again
	}
}

// TestGive hands slabs to another holder, whose client has them from then on.
func TestGive(t *testing.T) {
	b := New(1 << 20)
	one, two := b.Join(client(1), nothing), b.JoinCache(nothing)
	buf := one.NewBuffer()
	if err := buf.GrowAll(t.Context(), 3*minSlab); err != nil {
		t.Fatal(err)
	}
	n := buf.Room()
	buf.Give(two)
	if u := b.Usage(); u.Used != 0 || u.Cached != n || b.clients[client(1)] != 0 {
		t.Errorf("%+v, the client holds %d", u, b.clients[client(1)])
	}
	one.Leave()
	buf.Release()
	if u := b.Usage(); u.Cached != 0 {
		t.Errorf("%+v", u)
	}
}
