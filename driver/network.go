package driver

import (
	"fmt"
	"time"
)

// Network is how a driver reaches a store over HTTP. The zero value will do.
type Network struct {
	SkipVerify bool   // any certificate will do; for tests
	CAFile     string // PEM, in place of the system's authorities
	MaxConns   int    // connections to the store; 0 is no limit
	// DialTimeout bounds how long a connection takes to be made; 0 is 5 s.
	DialTimeout time.Duration
	// StallTimeout is how long a connection may stand still in the midst of a
	// request before it is given up; 0 is 30 s. It does not bound the whole of a
	// request that makes progress.
	StallTimeout time.Duration
}

// Network reads the parameters of that name: skip_verify, ca_file, max_conns,
// dial_timeout and stall_timeout.
func (p *Params) Network() Network {
	return Network{
		SkipVerify:   p.Bool("skip_verify", false),
		CAFile:       p.String("ca_file", ""),
		MaxConns:     p.Int("max_conns", 0, 1, 1_000_000),
		DialTimeout:  p.Duration("dial_timeout", 0, time.Millisecond, time.Hour),
		StallTimeout: p.Duration("stall_timeout", 0, time.Millisecond, 24*time.Hour),
	}
}

// CheckNetwork returns an Invalid error for negative values.
func CheckNetwork(n Network) error {
	switch {
	case n.MaxConns < 0:
		return fmt.Errorf("max_conns %d: must not be negative: %w", n.MaxConns, Invalid)
	case n.DialTimeout < 0:
		return fmt.Errorf("dial_timeout %v: must not be negative: %w", n.DialTimeout, Invalid)
	case n.StallTimeout < 0:
		return fmt.Errorf("stall_timeout %v: must not be negative: %w", n.StallTimeout, Invalid)
	}
	return nil
}
