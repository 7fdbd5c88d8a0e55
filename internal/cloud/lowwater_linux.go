package cloud

import (
	"net"
	"syscall"
)

// setLowWater sets SO_RCVLOWAT, how many bytes must have come before a reader is woken.
// The end of the stream, an error and a full receive buffer wake it all the same.
func setLowWater(conn net.Conn, n int) bool {
	c, ok := conn.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return false
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		failed = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVLOWAT, n)
	})
	return err == nil && failed == nil
}
