package upstream

import (
	"net/http"
	"testing"

	"github.com/parsescale/parsescale/policies/breaker"
)

// TestPlain500 is about answers of 500 that aren't Parse's: the worker is to blame only if another one has a better answer.
func TestPlain500(t *testing.T) {
	fine := answer("fine")
	sick := func(w http.ResponseWriter, r *http.Request) { page(w, r) }
	poison := func(w http.ResponseWriter, r *http.Request) { // a path that the app fails on, wherever it is asked for
		if r.URL.Path == "/poison" {
			page(w, r)
			return
		}
		fine(w, r)
	}
	for _, test := range []struct {
		name    string
		workers []http.HandlerFunc
		path    string
		write   bool
		status  int
		open    []bool // the workers' breakers, after twenty requests
		asked   int64  // in all, at most
	}{
		{"one worker of two fails on everything", []http.HandlerFunc{sick, fine}, "/x", false, 200, []bool{true, false}, 26},
		{"a read that all fail on", []http.HandlerFunc{poison, poison, poison}, "/poison", false, 500, []bool{false, false, false}, 40},
		{"a read that the only worker fails on", []http.HandlerFunc{poison}, "/poison", false, 500, []bool{false}, 40},
		{"a write that all fail on", []http.HandlerFunc{poison, poison}, "/poison", true, 0, []bool{false, false}, 20},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var targets []Target
			var workers []*fakeWorker
			for i, h := range test.workers {
				w := newWorker(t, "tcp", h)
				workers, targets = append(workers, w), append(targets, w.target(string(rune('a'+i)), Remote))
			}
			p := newPool(t, Options{}, targets...)
			for range 20 {
				method := http.MethodGet
				if test.write {
					method = http.MethodPost
				}
				res, err := p.Do(t.Context(), &Request{Method: method, URI: test.path, Write: test.write})
				switch {
				case test.status == 0 && err == nil:
					t.Fatalf("answered with %d, want an error", res.Status)
				case test.status != 0 && (err != nil || res.Status != test.status):
					t.Fatalf("got %+v, %v, want status %d", res, err, test.status)
				}
			}
			var asked int64
			for i, s := range p.Status() {
				if open := s.Breaker == breaker.Open.String(); open != test.open[i] || s.State != "up" && !open {
					t.Errorf("worker %d: %+v, want an open breaker: %v", i, s, test.open[i])
				}
				asked += workers[i].requests.Load()
			}
			if asked > test.asked {
				t.Errorf("%d attempts, want at most %d", asked, test.asked)
			}
		})
	}
}
