package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/distribution/distribution/v3/registry"
	"github.com/distribution/distribution/v3/registry/listener"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"golang.org/x/crypto/acme"
)

// server serves distribution's registry. The registry's own server is not used: it reads its
// certificate once, and does not tell when it listens.
type server struct {
	config   *configuration.Configuration
	registry *registry.Registry
	handler  http.Handler
	tls      *certificates // nil without TLS
}

// newServer makes distribution's registry, and turns its panics on a wrong configuration into
// errors. A process can have one.
func newServer(ctx context.Context, config *configuration.Configuration) (s *server, err error) {
	s = &server{config: config}
	if s.tls, err = newCertificates(config.HTTP); err != nil {
		return nil, err
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("configuration: %v", p)
		}
	}()
	// The middleware that is registered last is the outermost, and gets all the others.
	registry.RegisterHandler(func(_ *configuration.Configuration, all http.Handler) http.Handler {
		s.handler = all
		return all
	})
	s.registry, err = registry.NewRegistry(ctx, config)
	return s, err
}

// run serves until the process is asked to stop, and then until all requests have ended or the
// drain timeout is over. started is called when clients can connect, draining when the stop
// begins. At SIGHUP, which hangups tells, the certificates are read again.
func (s *server) run(ctx context.Context, hangups <-chan os.Signal, started func(net.Addr), draining func()) error {
	ln, err := listener.NewListener(s.config.HTTP.Net, s.config.HTTP.Addr)
	if err != nil {
		return err
	}
	srv := &http.Server{Handler: traced(s.handler), Protocols: protocols(s.config.HTTP)}
	if s.tls != nil {
		ln = tls.NewListener(ln, s.tls.config())
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(ln) }()
	slog.InfoContext(ctx, "listening", "address", ln.Addr().String(), "tls", s.tls != nil)
	started(ln.Addr())
	for stopping := false; !stopping; {
		select {
		case err := <-failed:
			return err
		case <-hangups:
			slog.InfoContext(ctx, "hangup: files are read again", "tls", s.tls != nil)
			if s.tls != nil {
				s.tls.now(true)
			}
		case <-signals:
			stopping = true
		}
	}
	draining()
	slog.InfoContext(ctx, "stopping: requests under way may end", "timeout", s.config.HTTP.DrainTimeout)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.config.HTTP.DrainTimeout)
	defer cancel()
	return errors.Join(srv.Shutdown(ctx), s.registry.Shutdown(ctx))
}

// traced makes a span of each request, as distribution's registry does.
func traced(h http.Handler) http.Handler {
	return otelhttp.NewHandler(h, "", otelhttp.WithSpanNameFormatter(func(_ string, r *http.Request) string {
		return r.Method + " " + r.URL.Path
	}))
}

// protocols returns the protocols of a server that speaks HTTP/2 without TLS, and nil for the
// default ones.
func protocols(h configuration.HTTP) *http.Protocols {
	if !h.H2C.Enabled {
		return nil
	}
	p := new(http.Protocols)
	p.SetHTTP1(true)
	p.SetHTTP2(!h.HTTP2.Disabled)
	p.SetUnencryptedHTTP2(true)
	return p
}

// nextProtos returns the protocols that a TLS handshake may agree on.
func nextProtos(h configuration.HTTP) []string {
	protos := []string{"http/1.1"}
	if !h.HTTP2.Disabled {
		protos = []string{"h2", "http/1.1"}
	}
	if h.TLS.LetsEncrypt.CacheFile != "" {
		protos = append(protos, acme.ALPNProto)
	}
	return protos
}

// checkAddress finds out that an address is taken before anything says that the
// registry is there.
func checkAddress(ctx context.Context, config *configuration.Configuration) error {
	if config.HTTP.Net != "" && config.HTTP.Net != "tcp" {
		return nil // a socket that is handed in, or a file
	}
	var l net.ListenConfig
	ln, err := l.Listen(ctx, "tcp", config.HTTP.Addr)
	if err != nil {
		return err
	}
	return ln.Close()
}
