package caddymodule

import (
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// blank is a response writer that keeps nothing.
type blank struct{ h http.Header }

func (b *blank) Header() http.Header         { return b.h }
func (b *blank) Write(p []byte) (int, error) { return len(p), nil }
func (b *blank) WriteHeader(int)             {}

// hits are the forms in which a cached find is asked for.
var hits = []struct {
	name, method, path, body string
	allocs                   float64 // what the parse handler may take beside Caddy's own
}{
	{"GET", "GET", "/parse/classes/A?where=%7B%22n%22%3A1%7D", "", 25},
	{"POST of the SDK", "POST", "/parse/classes/A", `{"where":{"n":1},"_method":"GET","_ApplicationId":"app","_ClientVersion":"js8","_InstallationId":"i"}`, 30},
}

// hitSite returns a site and a function that asks it for a cached find.
func hitSite(t testing.TB, method, path, body string) func() *blank {
	w := newRecordingWorker(t, results)
	s, err := trySite(t, remoteSite(w, "cache"))
	if err != nil {
		t.Fatal(err)
	}
	ask := func() *blank {
		var r *http.Request
		if body == "" {
			r = httptest.NewRequest(method, path, http.NoBody)
			r.Header["X-Parse-Application-Id"] = []string{"app"}
		} else {
			r = httptest.NewRequest(method, path, strings.NewReader(body))
			r.Header["Content-Type"] = []string{"text/plain"}
		}
		out := &blank{h: http.Header{}}
		s.server.ServeHTTP(out, r)
		return out
	}
	ask()
	if got := ask().h.Get("Cache-Status"); got != "parsescale; hit" {
		t.Fatalf("Cache-Status %q, want a hit", got)
	}
	return func() *blank {
		out := ask()
		if out.h["Cache-Status"][0] != "parsescale; hit" {
			ask() // the time to live of a remote pool is over; stored again
		}
		return out
	}
}

// floor is what Caddy itself and the making of the request take, measured with a handler that answers at once.
func floor(t testing.TB) func() {
	s, err := trySite(t, "{\n\tadmin off\n}\n:9 {\n\trespond /x "+fmt.Sprintf("`%s`", found)+"\n\tparse /parse/* 127.0.0.1:1\n}")
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		r := httptest.NewRequest("GET", "/x", http.NoBody)
		r.Header["X-Parse-Application-Id"] = []string{"app"}
		s.server.ServeHTTP(&blank{h: http.Header{}}, r)
	}
}

// TestHitAllocations keeps the hit path lean: what it takes beyond Caddy's own floor must not grow unnoticed.
func TestHitAllocations(t *testing.T) {
	least := allocations(floor(t))
	for _, h := range hits {
		t.Run(h.name, func(t *testing.T) {
			ask := hitSite(t, h.method, h.path, h.body)
			got := allocations(func() { ask() }) - least
			t.Logf("a hit takes %.0f allocations beside Caddy's floor of %.0f", got, least)
			if got > h.allocs {
				t.Errorf("a hit takes %.0f allocations beside Caddy's floor of %.0f, want at most %.0f", got, least, h.allocs)
			}
		})
	}
}

// allocations is how many f makes. What others make meanwhile is counted, too, so it is the least of several measurements.
func allocations(f func()) float64 {
	least := math.Inf(1)
	for range 5 {
		least = min(least, testing.AllocsPerRun(50, f))
	}
	return least
}

func BenchmarkHit(b *testing.B) {
	b.Run("floor: Caddy's respond", func(b *testing.B) {
		ask := floor(b)
		b.ReportAllocs()
		for b.Loop() {
			ask()
		}
	})
	for _, h := range hits {
		b.Run(h.name, func(b *testing.B) {
			ask := hitSite(b, h.method, h.path, h.body)
			b.ReportAllocs()
			for b.Loop() {
				ask()
			}
		})
	}
}
