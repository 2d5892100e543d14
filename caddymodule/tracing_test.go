package caddymodule

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
)

// TestTracing: an attempt at a worker is a span below the request's, whose id the worker gets; a hit has none.
func TestTracing(t *testing.T) {
	var parent atomic.Value
	worker := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "/health") {
			parent.Store(r.Header.Get("Traceparent"))
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"results":[]}`)
	}))
	t.Cleanup(worker.Close)
	s := newSite(t, fmt.Sprintf(":80 {\n\tparse /parse/* %s {\n\t\tcache {\n\t\t\tttl 5s\n\t\t}\n\t}\n}", address(worker)))
	spans := tracetest.NewSpanRecorder()
	provider := trace.NewTracerProvider(trace.WithSpanProcessor(spans))
	ask := func() {
		r := httptest.NewRequest("GET", "/parse/classes/A", nil)
		r.Header.Set("X-Parse-Application-Id", "app")
		r.Header.Set("Traceparent", "00-00000000000000000000000000000001-0000000000000001-01")
		ctx, span := provider.Tracer("test").Start(r.Context(), "request")
		s.server.ServeHTTP(httptest.NewRecorder(), r.WithContext(ctx))
		span.End()
	}
	ask()
	ended := spans.Ended()
	if len(ended) != 2 {
		t.Fatalf("%d spans, want one of the attempt and one of the request", len(ended))
	}
	attempt, request := ended[0], ended[1]
	want := fmt.Sprintf("00-%s-%s-01", attempt.SpanContext().TraceID(), attempt.SpanContext().SpanID())
	if attempt.Parent().SpanID() != request.SpanContext().SpanID() || parent.Load() != want {
		t.Errorf("the attempt is below %v, and the worker got %v, want %v", attempt.Parent(), parent.Load(), want)
	}
	has := func(list []attribute.KeyValue, want ...attribute.KeyValue) {
		t.Helper()
		for _, w := range want {
			found := false
			for _, kv := range list {
				found = found || kv == w
			}
			if !found {
				t.Errorf("%v lacks %v", list, w)
			}
		}
	}
	has(attempt.Attributes(), attribute.String("parse.worker", worker.URL), attribute.Int("parse.attempt", 1), attribute.Int("http.response.status_code", 200))
	has(request.Attributes(), attribute.String("parse.op", "find"), attribute.String("parse.source", "miss"))
	ask()
	if ended = spans.Ended(); len(ended) != 3 {
		t.Fatalf("%d spans after a hit, want one more", len(ended))
	}
	has(ended[2].Attributes(), attribute.String("parse.source", "hit"))
}
