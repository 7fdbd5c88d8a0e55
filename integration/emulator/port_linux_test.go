package emulator

import (
	"net"
	"testing"
)

func TestReservedPortIsNotGivenAway(t *testing.T) {
	p, err := reserve()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.release() })

	if conn, err := net.Dial("tcp", p.addr()); err == nil {
		conn.Close()
		t.Fatal("a reserved port accepts connections")
	}
	for range 2 { // and again, as after a restart
		l, err := net.Listen("tcp", p.addr())
		if err != nil {
			t.Fatalf("a server that names the port: %v", err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for range 5000 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		got := l.Addr().(*net.TCPAddr).Port
		l.Close()
		if got == p.number {
			t.Fatalf("port %d given to another", got)
		}
	}
}
