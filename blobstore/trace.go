package blobstore

import (
	"context"
	"errors"

	"github.com/distribution/distribution/v3"
	"github.com/opencontainers/go-digest"
	"go.opentelemetry.io/otel/attribute"
	otel "go.opentelemetry.io/otel/trace"

	"github.com/blobdock/blobdock/driver/trace"
)

const traceScope = "github.com/blobdock/blobdock/blobstore"

// span is that of one operation on a blob, where the request it belongs to is
// traced; else its zero value.
type span struct{ span otel.Span }

// traced begins an operation in a repository, on an upload, the blob d, or both; the
// other is "". Calls made with the returned context are below its span. Work that
// goes on after the operation keeps ctx itself: nothing is traced below a span that has
// ended.
func traced(ctx context.Context, operation, repository, upload string, d digest.Digest) (context.Context, span) {
	parent := otel.SpanFromContext(ctx)
	if !parent.IsRecording() {
		return ctx, span{}
	}
	attrs := []attribute.KeyValue{attribute.String("blobdock.repository", repository)}
	if upload != "" {
		attrs = append(attrs, attribute.String("blobdock.upload", upload))
	}
	if d != "" {
		attrs = append(attrs, attribute.String("blobdock.digest", d.String()))
	}
	ctx, s := parent.TracerProvider().Tracer(traceScope).Start(ctx, "blob "+operation, otel.WithAttributes(attrs...))
	return ctx, span{s}
}

// end ends the operation, with the error that it returns.
func (s span) end(err *error) {
	if s.span == nil {
		return
	}
	switch {
	case errors.Is(*err, distribution.ErrBlobUnknown), errors.Is(*err, distribution.ErrBlobUploadUnknown):
		s.span.SetAttributes(attribute.String("error.type", "not found")) // an answer, no failure
	default:
		trace.Fail(s.span, *err)
	}
	s.span.End()
}
