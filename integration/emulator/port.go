package emulator

import (
	"errors"
	"net"
	"strconv"
	"strings"
)

// errPortTaken says that another process took the port in between.
var errPortTaken = errors.New("port taken by another process")

// port is a free TCP port on the loopback, kept for the life of a server, so
// that a server which is stopped for a while finds it free again.
type port struct {
	number int
	hold   interface{ Close() error } // nil where it can't be held
}

func (p *port) addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(p.number)) }

func (p *port) release() error {
	if p.hold == nil {
		return nil
	}
	return p.hold.Close()
}

// portTaken reads a server's last words.
func portTaken(log string) bool {
	log = strings.ToLower(log)
	return strings.Contains(log, "address already in use") ||
		strings.Contains(log, "port is already allocated")
}
