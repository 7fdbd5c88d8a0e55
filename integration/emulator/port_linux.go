package emulator

import (
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// reserve binds a port without listening on it. Linux then gives that port to
// nobody who asks for any, but lets a server that names it, and sets
// SO_REUSEADDR as Go's and Node's do, bind and listen. SO_REUSEPORT is for
// MinIO, which sets it: then either all sockets have it or the bind fails.
func reserve() (*port, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("reserve a port: %w", err)
	}
	hold := os.NewFile(uintptr(fd), "reserved port")
	number, err := bindAny(fd)
	if err != nil {
		_ = hold.Close()
		return nil, fmt.Errorf("reserve a port: %w", err)
	}
	return &port{number: number, hold: hold}, nil
}

func bindAny(fd int) (int, error) {
	// Bound first and shareable after: a socket that may share is also given
	// ports that others share.
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return 0, err
	}
	for _, opt := range []int{unix.SO_REUSEADDR, unix.SO_REUSEPORT} {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, opt, 1); err != nil {
			return 0, err
		}
	}
	sa, err := unix.Getsockname(fd)
	if err != nil {
		return 0, err
	}
	in4, ok := sa.(*unix.SockaddrInet4)
	if !ok {
		return 0, syscall.EAFNOSUPPORT
	}
	return in4.Port, nil
}
