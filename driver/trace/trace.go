// Package trace makes an OpenTelemetry span of each call to a bucket.
//
// A span belongs to the one that the call's context is in, and goes where that
// goes. Without one, or where that is not recorded, a call costs nothing more
// here. So there is nothing to set up: whoever traces the work is told of its
// calls, too.
//
// Spans carry the key and never a URL, header or credential.
package trace

import (
	"context"
	"errors"
	"io"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/meter"
)

// Scope names what makes the spans.
const Scope = "github.com/blobdock/blobdock/driver/trace"

// What a span tells, beside error.type and http.response.status_code where the
// call failed.
const (
	Op       = attribute.Key("blobdock.op")
	Provider = attribute.Key("blobdock.provider")
	Key      = attribute.Key("blobdock.key")
	Source   = attribute.Key("blobdock.source") // the key that is copied
	Part     = attribute.Key("blobdock.part")
	Sent     = attribute.Key("blobdock.sent")     // bytes of the request's body
	Received = attribute.Key("blobdock.received") // bytes of the answer's body
)

// Wrap makes spans of the calls to b. That of Open ends when the body was read to
// its end, broke, or was closed.
func Wrap(b driver.Bucket) driver.Bucket {
	return driver.Wrap(b, calls{provider: b.Features().Name}.around)
}

type calls struct{ provider string }

func (t calls) around(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
	parent := trace.SpanFromContext(ctx)
	if !parent.IsRecording() {
		return next(ctx)
	}
	ctx, span := parent.TracerProvider().Tracer(Scope).Start(ctx, "store "+string(c.Op),
		trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(t.describe(c)...))
	err := next(ctx)
	if err == nil && c.Reader != nil {
		r := *c.Reader
		r.ReadCloser = &body{r: r.ReadCloser, span: span}
		c.Reader = &r
		return nil
	}
	Fail(span, err)
	span.End()
	return err
}

func (t calls) describe(c *driver.Call) []attribute.KeyValue {
	attrs := []attribute.KeyValue{Op.String(string(c.Op)), Provider.String(t.provider), Key.String(c.Key)}
	if c.Src != "" {
		attrs = append(attrs, Source.String(c.Src))
	}
	if c.Part != 0 {
		attrs = append(attrs, Part.Int(c.Part))
	}
	if c.Body != nil {
		attrs = append(attrs, Sent.Int64(c.Body.Size()))
	}
	return attrs
}

// Fail notes on span what kind of error ended its work, if one did, in the words of
// meter.Outcome. What a caller asks to be told, such as that there is no such object,
// and that it wants no answer any more, don't make it a failed one.
func Fail(span trace.Span, err error) {
	if err == nil || !span.IsRecording() {
		return
	}
	span.SetAttributes(attribute.String("error.type", meter.Outcome(err)))
	var e *driver.Error
	if errors.As(err, &e) && e.Status != 0 {
		span.SetAttributes(attribute.Int("http.response.status_code", e.Status))
	}
	switch kind := driver.KindOf(err); {
	case kind == driver.NotFound, kind == driver.Exists, kind == driver.Mismatch:
	case kind == driver.Unknown && errors.Is(err, context.Canceled):
	default:
		span.SetStatus(codes.Error, err.Error())
	}
}

// body is an answer's body, with whose end the span ends.
type body struct {
	r     io.ReadCloser
	span  trace.Span
	read  int64
	ended bool
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	b.read += int64(n)
	if err != nil {
		if errors.Is(err, io.EOF) {
			b.end(nil)
		} else {
			b.end(err)
		}
	}
	return n, err
}

func (b *body) Close() error {
	err := b.r.Close()
	b.end(nil)
	return err
}

func (b *body) end(err error) {
	if !b.ended {
		b.ended = true
		b.span.SetAttributes(Received.Int64(b.read))
		Fail(b.span, err)
		b.span.End()
	}
}
