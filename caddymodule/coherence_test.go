package caddymodule

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/parsescale/parsescale/policies/cache"
	"github.com/parsescale/parsescale/policies/request"
)

// TestWriteThroughAnUncachedHandler checks that a write counts whichever of an app's handlers it comes through.
func TestWriteThroughAnUncachedHandler(t *testing.T) {
	w := newRecordingWorker(t, results)
	s := newSite(t, fmt.Sprintf("{\n\tadmin off\n\tparse {\n\t\tapp one {\n\t\t\tupstreams %s\n\t\t}\n\t}\n}\n:9 {\n\tparse /parse/* {\n\t\tcache {\n\t\t\tttl 5s\n\t\t}\n\t}\n\tparse /plain/*\n}", w.addr()))
	s.run(t, w, []step{
		{method: "GET", path: "/parse/classes/A", cache: "stored", calls: 1},
		{method: "GET", path: "/parse/classes/A", cache: "hit"},
		{method: "POST", path: "/plain/classes/A", body: "{}", status: 201, cache: "fwd=method", calls: 1},
		{method: "GET", path: "/parse/classes/A", cache: "stored", calls: 1},
	})
}

// slowClient takes its answer only when it is let.
type slowClient struct {
	*httptest.ResponseRecorder
	begun, let chan struct{}
}

func (c *slowClient) Write(p []byte) (int, error) {
	close(c.begun)
	<-c.let
	return c.ResponseRecorder.Write(p)
}

// TestSlowClientHoldsNobodyUp checks that who asks the same doesn't wait for a client that is slow to take an answer
// that can't be stored.
func TestSlowClientHoldsNobodyUp(t *testing.T) {
	w := newRecordingWorker(t, func(w http.ResponseWriter, _ *http.Request, _ string) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"results":[{"objectId":"o1","s":"`+strings.Repeat("x", 2048)+`"}]}`)
	})
	s := newSite(t, remoteSite(w, "cache {\nmax_object 1KB\n}"))
	ask := func(w http.ResponseWriter) {
		r := httptest.NewRequest("GET", "/parse/classes/A", http.NoBody)
		r.Header.Set("X-Parse-Application-Id", "app")
		s.server.ServeHTTP(w, r)
	}
	slow := &slowClient{httptest.NewRecorder(), make(chan struct{}), make(chan struct{})}
	first, second := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(first)
		ask(slow)
	}()
	<-slow.begun
	go func() {
		defer close(second)
		ask(httptest.NewRecorder())
	}()
	select {
	case <-second:
	case <-time.After(20 * time.Second):
		t.Error("it waits for the slow client")
	}
	close(slow.let)
	<-first
	<-second
}

// TestPanicWhileForwarding checks that a write whose forwarding panics doesn't stay open.
func TestPanicWhileForwarding(t *testing.T) {
	c := cache.New(cache.Options{})
	x := exchange{route: &route{gateway: &gateway{cache: c}}, req: request.Request{Write: true, Classes: []string{"A"}}}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("it didn't panic, so nothing was tested")
			}
		}()
		x.forwardWrite() // there is no request to forward
	}()
	if n := c.Stats().OpenPrepares; n != 0 {
		t.Errorf("%d changes stay open", n)
	}
}

// TestFieldsNamedInConnection checks that a field which isn't passed on, because Connection names it, doesn't count for
// the cache either.
func TestFieldsNamedInConnection(t *testing.T) {
	w := newRecordingWorker(t, func(w http.ResponseWriter, r *http.Request, body string) {
		w.Header().Set("X-Seen", r.Header.Get("Origin")+r.Header.Get("X-Parse-Session-Token"))
		results(w, r, body)
	})
	s := newSite(t, remoteSite(w, "cache {\nttl 5s\n}"))
	for _, name := range []string{"Origin", "X-Parse-Session-Token"} {
		for _, connection := range []string{name, "close, " + strings.ToLower(name), "upgrade," + name} {
			path := "/parse/classes/" + strings.ReplaceAll(name, "-", "") + fmt.Sprintf("%d", len(connection))
			s.run(t, w, []step{
				{method: "GET", path: path, header: map[string]string{name: "mine", "Connection": connection}, cache: "fwd=miss", calls: 1, headers: map[string]string{"X-Seen": ""}},
				{method: "GET", path: path, header: map[string]string{name: "mine"}, cache: "fwd=miss", calls: 1, headers: map[string]string{"X-Seen": "mine"}},
				{method: "GET", path: path, cache: "hit", headers: map[string]string{"X-Seen": ""}},
			})
		}
	}
}

// TestWriteThatAsksForAnUpgrade checks that a write counts as one whatever protocol it would like to change to.
func TestWriteThatAsksForAnUpgrade(t *testing.T) {
	w := newRecordingWorker(t, results)
	s := newSite(t, remoteSite(w, "cache {\nttl 5s\n}"))
	s.run(t, w, []step{
		{method: "GET", path: "/parse/classes/A", cache: "stored", calls: 1},
		{method: "POST", path: "/parse/classes/A", header: map[string]string{"Connection": "Upgrade", "Upgrade": "h2c"}, body: `{"n":1}`, status: 201, cache: "fwd=method", calls: 1},
		{method: "GET", path: "/parse/classes/A", cache: "stored", calls: 1},
	})
	if got := w.sent[1]; got != `{"n":1}` {
		t.Errorf("the worker got the body %q", got)
	}
}

// TestHeaderOfAnotherHandler checks that a stored answer's header is the worker's, with nothing twice.
func TestHeaderOfAnotherHandler(t *testing.T) {
	w := newRecordingWorker(t, results)
	s := newSite(t, fmt.Sprintf("{\n\tadmin off\n}\n:9 {\n\theader Access-Control-Allow-Origin https://other.example\n\tparse /parse/* %s {\n\t\tcache {\n\t\t\tttl 5s\n\t\t}\n\t}\n}", w.addr()))
	for _, want := range []string{"stored", "hit", "bypass"} {
		r := httptest.NewRequest("GET", "/parse/classes/A", http.NoBody)
		r.Header.Set("X-Parse-Application-Id", "app")
		if want == "bypass" {
			r.Header.Set("Cache-Control", "no-store")
		}
		rec := httptest.NewRecorder()
		s.server.ServeHTTP(rec, r)
		if v := rec.Header().Get("Cache-Status"); !strings.Contains(v, want) {
			t.Errorf("Cache-Status %q, want %s", v, want)
		}
		if got := rec.Header().Values("Access-Control-Allow-Origin"); len(got) != 1 || got[0] != "*" {
			t.Errorf("%s: Access-Control-Allow-Origin %q, want the worker's alone", want, got)
		}
	}
}

// TestVaryOfAnotherHandler checks that what other handlers make an answer depend on is said with every answer, beside what the
// worker says, and what is kept in several codings.
func TestVaryOfAnotherHandler(t *testing.T) {
	for _, tt := range []struct {
		name, worker string
		size         int
		want         []string
	}{
		{"a small answer", "", 10, []string{"X-Site"}},
		{"one that is kept compressed, too", "", 2048, []string{"X-Site", "Accept-Encoding"}},
		{"the worker says so, too", "Origin", 10, []string{"X-Site", "Origin"}},
		{"both", "Origin", 2048, []string{"X-Site", "Origin", "Accept-Encoding"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newRecordingWorker(t, func(w http.ResponseWriter, _ *http.Request, _ string) {
				w.Header().Set("Content-Type", "application/json")
				if tt.worker != "" {
					w.Header().Set("Vary", tt.worker)
				}
				_, _ = io.WriteString(w, `{"results":[{"objectId":"o1","s":"`+strings.Repeat("x", tt.size)+`"}]}`)
			})
			s := newSite(t, fmt.Sprintf("{\n\tadmin off\n}\n:9 {\n\theader Vary X-Site\n\tparse /parse/* %s {\n\t\tcache {\n\t\t\tttl 5s\n\t\t}\n\t}\n}", w.addr()))
			for _, as := range []string{"stored", "hit", "hit", "bypass"} {
				st := step{method: "GET", path: "/parse/classes/A"}
				want := tt.want
				if as == "bypass" {
					st.header = map[string]string{"Cache-Control": "no-store"}
					want = slices.DeleteFunc(slices.Clone(want), func(name string) bool { return name == "Accept-Encoding" })
				}
				rec := s.send(st)
				if v := rec.Header().Get("Cache-Status"); !strings.Contains(v, as) {
					t.Errorf("Cache-Status %q, want %s", v, as)
				}
				if got := strings.Join(rec.Header().Values("Vary"), ", "); got != strings.Join(want, ", ") {
					t.Errorf("%s: Vary %q, want %q", as, got, want)
				}
			}
		})
	}
}
