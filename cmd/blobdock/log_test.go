package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/google/go-cmp/cmp"
	"github.com/sirupsen/logrus"
	"go.opentelemetry.io/otel/trace"
)

// logged are the lines that do has distribution's logger write, as JSON.
func logged(t *testing.T, l logrus.Level, do func(*slog.Logger)) []map[string]any {
	t.Helper()
	var out bytes.Buffer
	std, was := logrus.StandardLogger(), slog.Default()
	level, formatter, flags := std.Level, std.Formatter, log.Flags()
	logrus.SetOutput(&out)
	logrus.SetLevel(l)
	logrus.SetFormatter(&logrus.JSONFormatter{})
	t.Cleanup(func() {
		logrus.SetOutput(os.Stderr)
		logrus.SetLevel(level)
		logrus.SetFormatter(formatter)
		slog.SetDefault(was)
		log.SetOutput(os.Stderr)
		log.SetFlags(flags)
		slog.SetLogLoggerLevel(slog.LevelInfo)
	})
	config := new(configuration.Configuration)
	config.Log.Fields = map[string]any{"environment": "staging"}
	bridgeSlog(config)
	do(slog.Default())
	var lines []map[string]any
	for line := range strings.Lines(out.String()) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		delete(m, "time")
		lines = append(lines, m)
	}
	return lines
}

func TestLog(t *testing.T) {
	ctx := context.WithValue(t.Context(), "http.request.id", "42") //nolint:staticcheck // distribution's own key
	traced := trace.ContextWithSpanContext(ctx, trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{1}}))
	type line = map[string]any
	got := logged(t, logrus.InfoLevel, func(l *slog.Logger) {
		l.DebugContext(ctx, "unseen", "key", "k")
		l.InfoContext(ctx, "plain", "key", "k", "size", 7, "took", 1500*time.Millisecond)
		l.With("upload", "u").WithGroup("store").With("a", 1).Warn("grouped", "cause", errors.New("gone"), slog.Group("in", "b", 2))
		l.Error("broken", slog.Group("", "inline", true), slog.Attr{}, slog.Group("empty"))
		l.WarnContext(traced, "traced")
		log.Print("http: TLS handshake error")
	})
	want := []line{
		{"level": "info", "msg": "plain", "environment": "staging", "http.request.id": "42", "key": "k", "size": 7.0, "took": "1.5s"},
		{"level": "warning", "msg": "grouped", "environment": "staging", "upload": "u", "store.a": 1.0, "store.cause": "gone", "store.in.b": 2.0},
		{"level": "error", "msg": "broken", "environment": "staging", "inline": true},
		{"level": "warning", "msg": "traced", "environment": "staging", "http.request.id": "42", "trace_id": "01000000000000000000000000000000"},
		{"level": "warning", "msg": "http: TLS handshake error", "environment": "staging"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestLogLevels has each level of slog be one of distribution's.
func TestLogLevels(t *testing.T) {
	for at, want := range map[logrus.Level][]string{
		logrus.ErrorLevel: {"error"},
		logrus.WarnLevel:  {"error", "warning"},
		logrus.DebugLevel: {"debug", "error", "info", "warning"},
	} {
		lines := logged(t, at, func(l *slog.Logger) {
			for _, level := range []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError} {
				l.Log(t.Context(), level, "m")
			}
		})
		var got []string
		for _, line := range lines {
			got = append(got, line["level"].(string))
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("at %s: %v, want %v", at, got, want)
		}
	}
}

// TestLogFieldsStay makes sure that a logger made from another leaves that alone.
func TestLogFieldsStay(t *testing.T) {
	base := logrus.Fields{"a": 1}
	h := logHandler{fields: base}
	_ = h.WithAttrs([]slog.Attr{slog.Int("b", 2)})
	if !maps.Equal(base, logrus.Fields{"a": 1}) {
		t.Errorf("fields became %v", base)
	}
}
