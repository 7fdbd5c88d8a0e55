package main

import (
	"errors"
	"net/http"
	_ "net/http/pprof" // on the debug address only, as in distribution's registry
	"time"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/docker/go-metrics"
	"github.com/sirupsen/logrus"
)

// serveDebug serves health, pprof and metrics where the configuration asks for
// it, as distribution's registry does.
func serveDebug(config *configuration.Configuration) {
	d := config.HTTP.Debug
	if d.Addr == "" {
		return
	}
	if d.Prometheus.Enabled {
		path := d.Prometheus.Path
		if path == "" {
			path = "/metrics"
		}
		http.Handle(path, metrics.Handler())
	}
	server := &http.Server{Addr: d.Addr, Handler: http.DefaultServeMux, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
			logrus.WithError(err).Fatalf("debug server on %s", d.Addr)
		}
	}()
}
