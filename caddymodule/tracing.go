package caddymodule

import (
	"context"
	"net/http"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/parsescale/parsescale/policies/upstream"
)

// tracerName names this module in traces.
const tracerName = "github.com/parsescale/parsescale"

// traceAttempt makes a span of each attempt at a worker, below the span that Caddy's directive tracing has made of the request;
// without one it does nothing. The worker gets the span's id in traceparent, so that its own spans are found below it.
func traceAttempt(ctx context.Context, a upstream.Attempt, h http.Header) (end func(status int, failure string)) {
	parent := trace.SpanFromContext(ctx)
	if !parent.IsRecording() {
		return func(int, string) {}
	}
	ctx, span := parent.TracerProvider().Tracer(tracerName).Start(ctx, "parse worker", trace.WithSpanKind(trace.SpanKindClient),
		trace.WithAttributes(attribute.String("parse.worker", a.Worker), attribute.Int("parse.attempt", a.Number), attribute.Bool("parse.hedge", a.Hedge)))
	propagation.TraceContext{}.Inject(ctx, propagation.HeaderCarrier(h))
	return func(status int, failure string) {
		if status != 0 {
			span.SetAttributes(attribute.Int("http.response.status_code", status))
		}
		switch failure {
		case "":
		case upstream.Outrun:
			span.SetAttributes(attribute.Bool("parse.outrun", true)) // which is no fault of anybody's
		default:
			span.SetStatus(codes.Error, failure)
		}
		span.End()
	}
}

// traceAnswer adds to the request's span what it was to the gateway. No class, where or id is among it.
func (x *exchange) traceAnswer() {
	span := trace.SpanFromContext(x.r.Context())
	if !span.IsRecording() {
		return
	}
	span.SetAttributes(attribute.String("parse.app", x.route.name), attribute.String("parse.op", x.req.Op.String()),
		attribute.String("parse.source", sourceNames[x.source]))
}
