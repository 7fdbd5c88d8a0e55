package main

import (
	"context"
	"log/slog"
	"maps"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/sirupsen/logrus"
	"go.opentelemetry.io/otel/trace"
)

// bridgeSlog has all that is reported by log/slog and by the standard log package,
// as net/http does, written by distribution's logger: where that writes to, in the
// format, at the level and with the fields that config.Log has.
func bridgeSlog(config *configuration.Configuration) {
	slog.SetDefault(slog.New(logHandler{fields: config.Log.Fields}))
	slog.SetLogLoggerLevel(slog.LevelWarn) // net/http reports what goes wrong
}

// logHandler is a slog.Handler before distribution's logger. The names of a group's
// fields begin with the group's own.
type logHandler struct {
	fields logrus.Fields // never changed
	group  string        // of fields to come, with a dot at its end
}

// Enabled implements slog.Handler.
func (h logHandler) Enabled(_ context.Context, l slog.Level) bool {
	return logrus.IsLevelEnabled(level(l))
}

func level(l slog.Level) logrus.Level {
	switch {
	case l >= slog.LevelError:
		return logrus.ErrorLevel
	case l >= slog.LevelWarn:
		return logrus.WarnLevel
	case l >= slog.LevelInfo:
		return logrus.InfoLevel
	default:
		return logrus.DebugLevel
	}
}

// requestFields are what distribution's context tells of a request, under the names
// that its own lines have.
var requestFields = []string{"instance.id", "http.request.id"}

// Handle implements slog.Handler. A line of a traced request tells the trace.
func (h logHandler) Handle(ctx context.Context, r slog.Record) error {
	fields := make(logrus.Fields, len(h.fields)+r.NumAttrs()+len(requestFields)+1)
	for _, name := range requestFields {
		if v := ctx.Value(name); v != nil {
			fields[name] = v
		}
	}
	if span := trace.SpanContextFromContext(ctx); span.IsValid() {
		fields["trace_id"] = span.TraceID().String()
	}
	maps.Copy(fields, h.fields)
	r.Attrs(func(a slog.Attr) bool {
		add(fields, h.group, a)
		return true
	})
	logrus.WithContext(ctx).WithTime(r.Time).WithFields(fields).Log(level(r.Level), r.Message)
	return nil
}

// WithAttrs implements slog.Handler.
func (h logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	h.fields = maps.Clone(h.fields)
	if h.fields == nil {
		h.fields = make(logrus.Fields, len(attrs))
	}
	for _, a := range attrs {
		add(h.fields, h.group, a)
	}
	return h
}

// WithGroup implements slog.Handler.
func (h logHandler) WithGroup(name string) slog.Handler {
	if name != "" {
		h.group += name + "."
	}
	return h
}

func add(fields logrus.Fields, group string, a slog.Attr) {
	v := a.Value.Resolve()
	switch v.Kind() {
	case slog.KindGroup:
		if a.Key != "" {
			group += a.Key + "."
		}
		for _, member := range v.Group() {
			add(fields, group, member)
		}
	case slog.KindDuration:
		fields[group+a.Key] = v.String() // not nanoseconds
	default:
		if !a.Equal(slog.Attr{}) {
			fields[group+a.Key] = v.Any()
		}
	}
}
