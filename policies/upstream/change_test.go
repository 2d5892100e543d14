package upstream

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"testing"

	"github.com/parsescale/parsescale/policies/breaker"
)

// TestChanges: whoever operates the pool hears when a worker's breaker opens.
func TestChanges(t *testing.T) {
	var mu sync.Mutex
	var told []Change
	bad := newWorker(t, "tcp", status(503))
	p := newPool(t, Options{
		Retries: -1, Breaker: breaker.Options{Failures: 2},
		OnChange: func(c Change) { mu.Lock(); defer mu.Unlock(); told = append(told, c) },
	}, bad.target("bad", Remote))
	for range 2 {
		if _, err := p.Do(t.Context(), &Request{Method: "GET", URI: "/x"}); err != nil {
			t.Fatal(err)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if want := []Change{{"bad", "breaker", "closed", "open"}}; !slices.Equal(told, want) {
		t.Errorf("told %v, want %v", told, want)
	}
}

// TestTrace: every attempt is traced, with what came of it, and may carry more header fields.
func TestTrace(t *testing.T) {
	type attempt struct {
		worker, failure string
		number, status  int
	}
	var all []attempt
	bad := newWorker(t, "tcp", abort)
	ok := newWorker(t, "tcp", func(w http.ResponseWriter, r *http.Request) { w.Header().Set("Got", r.Header.Get("Traceparent")) })
	type mark struct{}
	p := newPool(t, Options{Trace: func(ctx context.Context, a Attempt, h http.Header) func(int, string) {
		if ctx.Value(mark{}) != true {
			t.Error("the context isn't that of Do")
		}
		h.Set("Traceparent", a.Worker)
		return func(status int, failure string) { all = append(all, attempt{a.Worker, failure, a.Number, status}) }
	}}, bad.target("bad", Remote))
	r := &Request{Method: "GET", URI: "/x", Prepare: func(http.Header, *Target) {
		if p.member("ok") == nil { // at the first attempt
			p.Add(ok.target("ok", Remote))
		}
	}}
	res, err := p.Do(context.WithValue(t.Context(), mark{}, true), r)
	if err != nil || res.Header.Get("Got") != "ok" {
		t.Fatalf("%+v, %v", res, err)
	}
	if want := []attempt{{"bad", "broken", 1, 0}, {"ok", "", 2, 200}}; !slices.Equal(all, want) {
		t.Errorf("traced %v, want %v", all, want)
	}
}
