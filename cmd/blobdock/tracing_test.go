package main

import (
	"context"
	"testing"

	"github.com/sirupsen/logrus"
	"go.opentelemetry.io/otel"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
)

// TestTraceAsAsked starts a span of a request, as distribution does, after it has set
// up that all are recorded.
func TestTraceAsAsked(t *testing.T) {
	was, level := otel.GetTracerProvider(), logrus.GetLevel()
	t.Cleanup(func() { otel.SetTracerProvider(was); logrus.SetLevel(level) })
	for _, tt := range []struct {
		name, exporter string
		level          logrus.Level
		recorded       bool
	}{
		{"nothing said", "", logrus.InfoLevel, false},
		{"none", "none", logrus.InfoLevel, false},
		{"none, but in the log", "none", logrus.DebugLevel, true},
		{"a collector", "otlp", logrus.InfoLevel, true},
	} {
		t.Setenv(exporterVariable, tt.exporter)
		logrus.SetLevel(tt.level)
		disableDefaultTracing()
		sent := tracetest.NewInMemoryExporter()
		kept := &keeping{InMemoryExporter: sent}
		otel.SetTracerProvider(sdk.NewTracerProvider(sdk.WithBatcher(kept)))
		flush := applyTraceExporter()
		_, span := otel.Tracer("request").Start(t.Context(), "GET /")
		if span.IsRecording() != tt.recorded {
			t.Errorf("%s: recorded %v, want %v", tt.name, span.IsRecording(), tt.recorded)
		}
		span.End()
		flush()
		if (len(sent.GetSpans()) == 1) != tt.recorded {
			t.Errorf("%s: %d spans were sent", tt.name, len(sent.GetSpans()))
		}
	}
}

// keeping keeps what was sent when it is shut down.
type keeping struct{ *tracetest.InMemoryExporter }

func (keeping) Shutdown(context.Context) error { return nil }
