//go:build !linux

package emulator

import (
	"fmt"
	"net"
)

// reserve finds a free port. It can't be held: a second bind is refused here.
func reserve() (*port, error) {
	l, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, fmt.Errorf("reserve a port: %w", err)
	}
	p := &port{number: l.Addr().(*net.TCPAddr).Port}
	return p, l.Close()
}
