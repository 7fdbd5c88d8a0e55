package blobstore_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"go.opentelemetry.io/otel/codes"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	otel "go.opentelemetry.io/otel/trace"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/trace"
)

// tracer records the spans of one request after the other.
type tracer struct {
	spans    *tracetest.SpanRecorder
	provider *sdk.TracerProvider
}

func newTracer() tracer {
	spans := tracetest.NewSpanRecorder()
	return tracer{spans, sdk.NewTracerProvider(sdk.WithSpanProcessor(spans))}
}

// request does what a request's handler would, and returns what was traced of it:
// each operation with the store's calls below it, sorted.
func (tr tracer) request(ctx context.Context, do func(context.Context)) []string {
	tr.spans.Reset()
	ctx, root := tr.provider.Tracer("test").Start(ctx, "request")
	do(ctx)
	root.End()
	names := map[otel.SpanID]string{root.SpanContext().SpanID(): "request"}
	for _, s := range tr.spans.Ended() {
		names[s.SpanContext().SpanID()] = s.Name()
	}
	var lines []string
	for _, s := range tr.spans.Ended() {
		if s.Parent().IsValid() {
			lines = append(lines, names[s.Parent().SpanID()]+" > "+s.Name())
		}
		if s.Status().Code == codes.Error {
			lines = append(lines, s.Name()+" failed: "+s.Status().Description)
		}
	}
	slices.Sort(lines)
	return lines
}

func TestTrace(t *testing.T) {
	tr := newTracer()
	repo := newRepository(t, newStore(t, trace.Wrap(newBucket(t))), "team/app")
	p := content(1, 5<<10)
	d := digest.FromBytes(p)
	var id string
	check := func(what string, want, got []string) {
		t.Helper()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	check("POST", []string{"request > blob create"},
		tr.request(request(http.MethodPost, "/", 0), func(ctx context.Context) {
			w, err := repo.Create(ctx)
			if err != nil {
				t.Fatal(err)
			}
			id = w.ID()
			w.Close()
		}))
	check("PATCH", []string{
		"blob append > store put", "blob append > store put", "blob append > store put",
		"request > blob append", "request > blob resume",
	}, tr.request(request(http.MethodPatch, "/", int64(len(p))), func(ctx context.Context) {
		w, err := repo.Resume(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.ReadFrom(bytes.NewReader(p)); err != nil {
			t.Fatal(err)
		}
		id = w.ID()
		w.Close()
	}))
	put := tr.request(request(http.MethodPut, "/?digest="+d.String(), 0), func(ctx context.Context) {
		w, err := repo.Resume(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Commit(ctx, v1.Descriptor{Digest: d}); err != nil {
			t.Fatal(err)
		}
		w.Close()
	})
	for _, want := range []string{"blob commit > store complete-upload", "blob commit > store put", "request > blob commit", "request > blob resume"} {
		if !slices.Contains(put, want) {
			t.Errorf("PUT: no %q in\n%s", want, strings.Join(put, "\n"))
		}
	}
	check("absent", []string{"blob lookup > store open", "blob lookup > store stat", "request > blob lookup"},
		tr.request(t.Context(), func(ctx context.Context) {
			if _, err := repo.Lookup(ctx, digest.FromString("absent")); err == nil {
				t.Error("found what is not there")
			}
		}))
	check("GET", []string{"blob serve > store open", "request > blob serve"},
		tr.request(t.Context(), func(ctx context.Context) {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			if err := repo.ServeBlob(ctx, httptest.NewRecorder(), r, d); err != nil {
				t.Fatal(err)
			}
		}))
	for _, s := range tr.spans.Ended() {
		if s.Name() != "blob serve" {
			continue
		}
		if got := fmt.Sprint(s.Attributes()); !strings.Contains(got, "team/app") || !strings.Contains(got, d.String()) {
			t.Errorf("serve tells %s, want the repository and the digest", got)
		}
	}
}

// TestTraceOfFailure has the operation tell what kind of error ended it.
func TestTraceOfFailure(t *testing.T) {
	tr := newTracer()
	denied := func(_ context.Context, c *driver.Call, _ func(context.Context) error) error {
		return &driver.Error{Op: c.Op, Key: c.Key, Kind: driver.Denied, Status: 403}
	}
	o := options()
	o.Secret = nil // the beginning of an upload sends a request
	repo := newRepository(t, newStoreWith(t, trace.Wrap(driver.Wrap(newBucket(t), denied)), o), "a")
	got := tr.request(t.Context(), func(ctx context.Context) { _, _ = repo.Create(ctx) })
	if len(got) != 4 || !strings.Contains(got[0], "blob create > ") || !strings.Contains(got[1], "blob create failed: upload: ") || !strings.Contains(got[3], "store put failed: ") {
		t.Errorf("got\n%s", strings.Join(got, "\n"))
	}
	for _, s := range tr.spans.Ended() {
		if attrs := fmt.Sprint(s.Attributes()); s.Name() != "request" && (!strings.Contains(attrs, "access denied") || !strings.Contains(attrs, "403")) {
			t.Errorf("%s tells %s, want the kind of error and the status", s.Name(), attrs)
		}
	}
}

// BenchmarkLookupUntraced is what spans cost where there is no trace: the allocations
// of both are the same.
func BenchmarkLookupUntraced(b *testing.B) {
	for name, wrap := range map[string]func(driver.Bucket) driver.Bucket{
		"with":    trace.Wrap,
		"without": func(b driver.Bucket) driver.Bucket { return driver.Wrap(b, through) },
	} {
		b.Run(name, func(b *testing.B) {
			s, err := blobstore.New(wrap(newBucket(b)), blobstore.Options{PartSize: 2 << 10, LookupTTL: -1})
			if err != nil {
				b.Fatal(err)
			}
			repo := newRepository(b, s, "bench")
			desc, err := repo.Put(b.Context(), "", content(1, 100))
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := repo.Lookup(b.Context(), desc.Digest); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// through is a wrapper that does nothing.
func through(ctx context.Context, _ *driver.Call, next func(context.Context) error) error {
	return next(ctx)
}
