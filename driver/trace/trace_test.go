package trace_test

import (
	"bytes"
	"context"
	"io"
	"slices"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	otel "go.opentelemetry.io/otel/trace"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/drivertest"
	"github.com/blobdock/blobdock/driver/fault"
	"github.com/blobdock/blobdock/driver/mem"
	"github.com/blobdock/blobdock/driver/trace"
)

func section(text string) *io.SectionReader {
	return io.NewSectionReader(bytes.NewReader([]byte(text)), 0, int64(len(text)))
}

// record starts a span that is recorded, with all below it.
func record(t testing.TB) (context.Context, *tracetest.SpanRecorder) {
	t.Helper()
	spans := tracetest.NewSpanRecorder()
	provider := sdk.NewTracerProvider(sdk.WithSpanProcessor(spans))
	ctx, root := provider.Tracer("test").Start(t.Context(), "request")
	t.Cleanup(func() { root.End() })
	return ctx, spans
}

func TestSpans(t *testing.T) {
	ctx, spans := record(t)
	throttled := func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
		if c.Op == driver.OpDelete {
			return &driver.Error{Op: c.Op, Key: c.Key, Kind: driver.Throttled, Status: 503}
		}
		return next(ctx)
	}
	b := trace.Wrap(driver.Wrap(mem.New(), throttled))
	put := func() {
		if _, err := b.Put(ctx, "a", section("content"), driver.WriteOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	read := func(n int64) {
		r, err := b.Open(ctx, "a", driver.Range{}, driver.ReadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if got := len(spans.Ended()); got != 0 {
			t.Errorf("%d spans have ended while the body is read", got)
		}
		_, _ = io.CopyN(io.Discard, r, n)
		_ = r.Close()
		_ = r.Close()
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	late, stop := context.WithTimeout(ctx, 0)
	defer stop()
	part := func() {
		u, err := b.Features().Uploads.CreateUpload(context.Background(), "p", driver.WriteOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.Features().Uploads.PutPart(ctx, u, 3, section("part")); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		name string
		do   func()
		op   driver.Op
		want []attribute.KeyValue
		code codes.Code
	}{
		{"put", put, driver.OpPut, []attribute.KeyValue{trace.Key.String("a"), trace.Sent.Int(7)}, codes.Unset},
		{"whole", func() { read(8) }, driver.OpOpen, []attribute.KeyValue{trace.Key.String("a"), trace.Received.Int(7)}, codes.Unset},
		{"begun", func() { read(3) }, driver.OpOpen, []attribute.KeyValue{trace.Key.String("a"), trace.Received.Int(3)}, codes.Unset},
		{"absent", func() { _, _ = b.Stat(ctx, "none") }, driver.OpStat, []attribute.KeyValue{trace.Key.String("none"), attribute.String("error.type", "not found")}, codes.Unset},
		{"throttled", func() { _ = b.Delete(ctx, "a", driver.DeleteOptions{}) }, driver.OpDelete,
			[]attribute.KeyValue{trace.Key.String("a"), attribute.String("error.type", "throttled"), attribute.Int("http.response.status_code", 503)}, codes.Error},
		{"given up", func() { _, _ = b.Stat(cancelled, "a") }, driver.OpStat, []attribute.KeyValue{trace.Key.String("a"), attribute.String("error.type", "context ended")}, codes.Unset},
		{"too late", func() { _, _ = b.Stat(late, "a") }, driver.OpStat, []attribute.KeyValue{trace.Key.String("a"), attribute.String("error.type", "context ended")}, codes.Error},
		{"part", part, driver.OpPutPart, []attribute.KeyValue{trace.Key.String("p"), trace.Part.Int(3), trace.Sent.Int(4)}, codes.Unset},
	} {
		spans.Reset()
		tt.do()
		ended := spans.Ended()
		if len(ended) != 1 {
			t.Errorf("%s: %d spans, want 1", tt.name, len(ended))
			continue
		}
		span := ended[0]
		got, want := attribute.NewSet(span.Attributes()...), attribute.NewSet(append(tt.want, trace.Op.String(string(tt.op)), trace.Provider.String("mem"))...)
		if !got.Equals(&want) {
			t.Errorf("%s: %v, want %v", tt.name, got.ToSlice(), want.ToSlice())
		}
		if span.Name() != "store "+string(tt.op) || span.SpanKind() != otel.SpanKindClient || span.Status().Code != tt.code ||
			span.Parent().SpanID() != otel.SpanContextFromContext(ctx).SpanID() {
			t.Errorf("%s: %s of %s below %s, status %v", tt.name, span.Name(), span.SpanKind(), span.Parent().SpanID(), span.Status())
		}
	}
}

// TestBrokenBody has the span of a body that breaks be a failed one.
func TestBrokenBody(t *testing.T) {
	ctx, spans := record(t)
	store := mem.New()
	if _, err := store.Put(ctx, "a", section("content"), driver.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	b := trace.Wrap(fault.Wrap(store, fault.Script{{Where: fault.MidBody, Offset: 3}}))
	r, err := b.Open(ctx, "a", driver.Range{}, driver.ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, r)
	_ = r.Close()
	ended := spans.Ended()
	if len(ended) != 1 || ended[0].Status().Code != codes.Error || !slices.Contains(ended[0].Attributes(), trace.Received.Int(3)) {
		t.Errorf("got %+v", ended)
	}
}

// TestConformance runs the suite with every call recorded.
func TestConformance(t *testing.T) {
	ctx, spans := record(t)
	root := otel.SpanFromContext(ctx)
	under := func(ctx context.Context, _ *driver.Call, next func(context.Context) error) error {
		return next(otel.ContextWithSpan(ctx, root))
	}
	drivertest.Run(t, drivertest.Harness{New: func(testing.TB) driver.Bucket { return driver.Wrap(trace.Wrap(mem.New()), under) }})
	if len(spans.Ended()) < 100 {
		t.Errorf("%d spans, want those of the whole suite", len(spans.Ended()))
	}
}

func TestNothingWithoutATrace(t *testing.T) {
	_, spans := record(t)
	b := trace.Wrap(mem.New())
	if _, err := b.Put(t.Context(), "a", section("content"), driver.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	bare, wrapped := statAllocs(t, driver.Wrap(mem.New(), through)), statAllocs(t, b)
	if wrapped > bare || len(spans.Ended()) != 0 {
		t.Errorf("%v allocations a call, %v without; %d spans", wrapped, bare, len(spans.Ended()))
	}
}

// through is a wrapper that does nothing.
func through(ctx context.Context, _ *driver.Call, next func(context.Context) error) error {
	return next(ctx)
}

func statAllocs(t *testing.T, b driver.Bucket) float64 {
	t.Helper()
	if _, err := b.Put(t.Context(), "k", section("x"), driver.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	return testing.AllocsPerRun(100, func() {
		if _, err := b.Stat(t.Context(), "k"); err != nil {
			t.Fatal(err)
		}
	})
}

func BenchmarkStat(b *testing.B) {
	recorded, _ := record(b)
	for _, tt := range []struct {
		name   string
		ctx    context.Context
		bucket driver.Bucket
	}{
		{"bare", b.Context(), driver.Wrap(mem.New(), through)},
		{"untraced", b.Context(), trace.Wrap(mem.New())},
		{"traced", recorded, trace.Wrap(mem.New())},
	} {
		b.Run(tt.name, func(b *testing.B) {
			if _, err := tt.bucket.Put(b.Context(), "k", section("x"), driver.WriteOptions{}); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := tt.bucket.Stat(tt.ctx, "k"); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
