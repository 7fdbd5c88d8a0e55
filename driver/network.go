package driver

import (
	"cmp"
	"fmt"
	"strconv"
	"time"
)

// What Network's zero fields stand for.
const (
	DefaultDialTimeout  = 5 * time.Second
	DefaultStallTimeout = 30 * time.Second
	// DefaultIdleConns is many: a registry under load has many uploads of several
	// parts each, and a new TLS connection costs more than the round trip of a small
	// request.
	DefaultIdleConns = 256
	// DefaultIdleTimeout is below the time after which load balancers close
	// connections.
	DefaultIdleTimeout = 50 * time.Second
)

// Network is how a driver reaches a store over HTTP. The zero value will do.
type Network struct {
	SkipVerify bool   // any certificate will do; for tests
	CAFile     string // PEM, in place of the system's authorities
	// ClientCertFile and ClientKeyFile are this side's certificate, for a store, or
	// a proxy before it, that asks for one. PEM.
	ClientCertFile, ClientKeyFile string

	MaxConns    int           // connections to the store; 0 is no limit
	IdleConns   int           // of them kept for the next request; 0 is DefaultIdleConns
	IdleTimeout time.Duration // how long they are kept, at most StallTimeout; 0 is DefaultIdleTimeout
	// DialTimeout bounds how long a connection takes to be made; 0 is
	// DefaultDialTimeout.
	DialTimeout time.Duration
	// StallTimeout is how long a connection may stand still in the midst of a
	// request before it is given up; 0 is DefaultStallTimeout. It does not bound the
	// whole of a request that makes progress.
	StallTimeout time.Duration
	// LogRequests logs each request and its reply's status to slog's default, at
	// level info and without queries and headers.
	LogRequests bool
}

// Network reads the parameters of that name.
func (p *Params) Network() Network {
	n := Network{
		SkipVerify:     p.Bool("skip_verify", false),
		CAFile:         p.String("ca_file", ""),
		ClientCertFile: p.String("client_cert_file", ""),
		ClientKeyFile:  p.String("client_key_file", ""),
		MaxConns:       p.Int("max_conns", 0, 1, 1_000_000),
		IdleConns:      p.Int("idle_conns", 0, 1, 1_000_000),
		IdleTimeout:    p.Duration("idle_timeout", 0, time.Millisecond, time.Hour),
		DialTimeout:    p.Duration("dial_timeout", 0, time.Millisecond, time.Hour),
		StallTimeout:   p.Duration("stall_timeout", 0, time.Millisecond, 24*time.Hour),
		LogRequests:    p.Bool("log_requests", false),
	}
	p.Resolve("idle_conns", strconv.Itoa(cmp.Or(n.IdleConns, DefaultIdleConns)))
	p.Resolve("idle_timeout", min(cmp.Or(n.IdleTimeout, DefaultIdleTimeout), cmp.Or(n.StallTimeout, DefaultStallTimeout)).String())
	p.Resolve("dial_timeout", cmp.Or(n.DialTimeout, DefaultDialTimeout).String())
	p.Resolve("stall_timeout", cmp.Or(n.StallTimeout, DefaultStallTimeout).String())
	return n
}

// CheckNetwork returns an Invalid error for negative values, and for half a
// certificate.
func CheckNetwork(n Network) error {
	for _, v := range []struct {
		name  string
		value int64
	}{
		{"max_conns", int64(n.MaxConns)}, {"idle_conns", int64(n.IdleConns)}, {"idle_timeout", int64(n.IdleTimeout)},
		{"dial_timeout", int64(n.DialTimeout)}, {"stall_timeout", int64(n.StallTimeout)},
	} {
		if v.value < 0 {
			return fmt.Errorf("%s: must not be negative: %w", v.name, Invalid)
		}
	}
	if (n.ClientCertFile == "") != (n.ClientKeyFile == "") {
		return fmt.Errorf("client_cert_file and client_key_file go together: %w", Invalid)
	}
	return nil
}
