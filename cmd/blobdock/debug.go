package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	_ "net/http/pprof" // on the debug address only, as in distribution's registry
	"time"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/sirupsen/logrus"
)

// serveDebug serves health, pprof and metrics where the configuration asks for
// it, as distribution's registry does, and whether the process lives and is ready.
// It ends with the process: while the registry drains, it says so.
func serveDebug(ctx context.Context, config *configuration.Configuration, ready *readiness) error {
	d := config.HTTP.Debug
	if d.Addr == "" {
		return nil
	}
	var l net.ListenConfig
	ln, err := l.Listen(ctx, "tcp", d.Addr)
	if err != nil {
		return fmt.Errorf("debug address: %w", err)
	}
	if d.Prometheus.Enabled {
		path := d.Prometheus.Path
		if path == "" {
			path = "/metrics"
		}
		http.Handle(path, promhttp.Handler())
	}
	mux := http.NewServeMux()
	mux.Handle("/", http.DefaultServeMux)
	mux.HandleFunc("GET /livez", serveLive)
	mux.HandleFunc("GET /readyz", ready.serveReady)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		if err := server.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			logrus.WithError(err).Fatalf("debug server on %s", d.Addr)
		}
	}()
	return nil
}
