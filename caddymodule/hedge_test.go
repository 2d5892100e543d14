package caddymodule

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/parsescale/parsescale/policies/upstream"
)

// TestHedgedFill: an answer of the second worker is stored as one of the first would be, and isn't if a write came in between.
func TestHedgedFill(t *testing.T) {
	asked, answer := make(chan struct{}), make(chan struct{})
	turn := make(chan struct{}, 1) // the worker that takes it is the first
	worker := func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		if r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/classes/A") {
			select {
			case <-turn:
				<-r.Context().Done()
				return
			default:
			}
			select {
			case asked <- struct{}{}:
				select {
				case <-answer:
				case <-r.Context().Done(): // the test has failed
				}
			case <-r.Context().Done():
			}
		}
		_, _ = io.WriteString(w, `{"results":[]}`)
	}
	one, two := httptest.NewServer(http.HandlerFunc(worker)), httptest.NewServer(http.HandlerFunc(worker))
	t.Cleanup(one.Close)
	t.Cleanup(two.Close)
	s := newSite(t, fmt.Sprintf(":80 {\n\tparse /parse/* %s %s {\n\t\tcache {\n\t\t\tttl 5s\n\t\t}\n\t\tpool {\n\t\t\thedge 5%% 1m\n\t\t}\n\t}\n}", address(one), address(two)))
	ask := func(method, path, body string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, path, strings.NewReader(body)).WithContext(t.Context())
		r.Header.Set("X-Parse-Application-Id", "app")
		w := httptest.NewRecorder()
		s.server.ServeHTTP(w, r)
		return w
	}
	rt := parseHandlers(s.server.Routes)[0].routes[0]
	rt.ttl = time.Hour // longer than any machine takes
	pool := rt.pool
	after := func(delay time.Duration) {
		pool.Configure(upstream.Options{Hedge: upstream.Hedge{Share: 0.05, Delay: delay}})
	}
	await := func() {
		t.Helper()
		select {
		case <-asked:
		case <-time.After(20 * time.Second):
			t.Fatalf("nobody was asked: %+v", pool.Hedges())
		}
	}
	questions := 0
	for _, test := range []struct {
		name    string
		between func()
		next    string // how the same is answered then
	}{
		{"with a write in between", func() { ask("PUT", "/parse/classes/A/x", `{"a":1}`) }, "fwd=miss"},
		{"undisturbed", func() {}, "hit"},
	} {
		for range 50 { // of which two may be asked twice: none is, however slow the machine
			questions++
			ask("GET", fmt.Sprintf("/parse/classes/B?limit=%d", questions), "")
		}
		turn <- struct{}{}
		after(20 * time.Millisecond)
		told := make(chan *httptest.ResponseRecorder, 1)
		go func() { told <- ask("GET", "/parse/classes/A", "") }()
		await()
		after(time.Minute)
		test.between()
		answer <- struct{}{}
		if w := <-told; w.Code != 200 || w.Body.String() != `{"results":[]}` || !strings.Contains(w.Header().Get("Cache-Status"), "fwd=miss") {
			t.Fatalf("%s: %d %s %v", test.name, w.Code, w.Body, w.Header())
		}
		if test.next == "fwd=miss" {
			go func() { <-asked; answer <- struct{}{} }()
		}
		if w := ask("GET", "/parse/classes/A", ""); !strings.Contains(w.Header().Get("Cache-Status"), test.next) {
			t.Errorf("%s, the next is answered by %s, want %s", test.name, w.Header().Get("Cache-Status"), test.next)
		}
		if test.next == "fwd=miss" { // stored by now
			ask("PUT", "/parse/classes/A/x", `{"a":2}`)
		}
	}
	if h := pool.Hedges(); h.Won != 2 {
		t.Errorf("%+v", h)
	}
}
