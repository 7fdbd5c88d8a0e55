package main

import (
	"context"
	"os"
	"time"

	"github.com/sirupsen/logrus"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/trace/noop"
)

// exporterVariable says where traces go, as OpenTelemetry defines it.
const exporterVariable = "OTEL_TRACES_EXPORTER"

// disableDefaultTracing is the default: distribution's own is a collector on localhost, whose
// absence it reports over and over. Its own container image sets the same.
func disableDefaultTracing() {
	if os.Getenv(exporterVariable) == "" {
		_ = os.Setenv(exporterVariable, "none")
	}
}

// applyTraceExporter ends what distribution has set up to trace where nobody looks: it
// records every request, and writes it to the log at level debug, for exporter none
// as well. It returns what sends the rest of the traces at the end of the process.
func applyTraceExporter() (flush func()) {
	if os.Getenv(exporterVariable) == "none" && !logrus.IsLevelEnabled(logrus.DebugLevel) {
		endTraces()
		otel.SetTracerProvider(noop.NewTracerProvider())
	}
	return endTraces
}

// flushTime bounds the wait for a collector that does not answer.
const flushTime = 5 * time.Second

func endTraces() {
	p, ok := otel.GetTracerProvider().(interface{ Shutdown(context.Context) error })
	if !ok {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), flushTime)
	defer cancel()
	if err := p.Shutdown(ctx); err != nil {
		logrus.WithError(err).Warn("last traces not sent")
	}
}
