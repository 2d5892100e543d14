package upstream

import (
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parsescale/parsescale/policies/breaker"
)

// TestLastInUse: a worker that fails for a moment isn't left out when the only other one gets no requests: it is being drained, or
// has no share.
func TestLastInUse(t *testing.T) {
	for _, test := range []struct {
		name  string
		share int
		leave func(*testing.T, *Pool)
	}{
		{"drained", 1, func(t *testing.T, p *Pool) {
			if err := p.Retire("other"); err != nil {
				t.Fatal(err)
			}
		}},
		{"without a share", -1, func(*testing.T, *Pool) {}},
	} {
		t.Run(test.name, func(t *testing.T) { lastInUse(t, test.share, test.leave) })
	}
}

func lastInUse(t *testing.T, share int, leave func(*testing.T, *Pool)) {
	t.Helper()
	var sick atomic.Bool
	sick.Store(true)
	other := newWorker(t, "unix", answer("other")).target("other", Bundled)
	other.Share = share
	stays := newWorker(t, "unix", func(w http.ResponseWriter, r *http.Request) {
		if sick.Load() {
			abort(w, r)
		}
		answer("stays")(w, r)
	})
	p := newPool(t, Options{Retries: -1, MaxWait: 50 * time.Millisecond, Breaker: breaker.Options{Failures: 100, MinRequests: 100}},
		other, stays.target("stays", Bundled))
	leave(t, p)
	r := Request{Method: "GET", URI: "/x"}
	for range 10 {
		if res, err := p.Do(t.Context(), &r); err == nil {
			t.Fatalf("got %+v", res)
		}
	}
	sick.Store(false)
	if res, err := p.Do(t.Context(), &r); err != nil || string(res.Body) != "stays" {
		t.Errorf("got %+v, %v", res, err)
	}
}

// TestDrainingIsNotChecked: who is about to end isn't told of as down.
func TestDrainingIsNotChecked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var checks, changes atomic.Int64
		v := newVirtual(t, Options{Probe: Probe{Path: "/health", Interval: time.Second}, OnChange: func(Change) { changes.Add(1) }}, func(w http.ResponseWriter, _ *http.Request) {
			checks.Add(1)
			w.WriteHeader(http.StatusServiceUnavailable)
		})
		defer v.end()
		if err := v.Retire("a"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if checks.Load() > 0 || changes.Load() > 0 {
			t.Errorf("%d checks, %d changes", checks.Load(), changes.Load())
		}
	})
}
