package caddymodule

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/parsescale/parsescale/policies/cache"
	"github.com/parsescale/parsescale/policies/feed"
	"github.com/parsescale/parsescale/policies/feed/peers"
	"github.com/parsescale/parsescale/policies/upstream"
	"github.com/parsescale/parsescale/server/change"
)

// TestStaleIfError has a worker fail after it has answered, and a client ask again.
func TestStaleIfError(t *testing.T) {
	answers := func(status int, body string) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	down := answers(503, `{"error":"starting"}`)
	const path = "/parse/classes/A"
	again := step{method: "GET", path: path, want: found, cache: "fwd=stale; fwd-status=503; ttl=*; detail=stale-if-error", calls: 1}
	with := func(header ...string) step {
		s := step{method: "GET", path: path, status: 503, cache: "fwd=miss", calls: 1, header: map[string]string{}}
		for i := 0; i < len(header); i += 2 {
			s.header[header[i]] = header[i+1]
		}
		return s
	}
	wait := func(d time.Duration) func(*site) { return func(*site) { time.Sleep(d) } }
	expire := wait(60 * time.Millisecond)
	refused := func(s step, cache string) step {
		s.cache = cache
		return s
	}
	for _, tt := range []struct {
		name  string
		cache string // its settings
		fails func(http.ResponseWriter, *http.Request)
		then  func(*site) // before the questions
		asks  []step
	}{
		{"an expired answer", "stale_if_error 1m", down, expire, []step{again, again}},
		{"the head of one", "stale_if_error 1m", down, expire, []step{{method: "HEAD", path: path, cache: "fwd=stale; fwd-status=503", calls: 1}}},
		{"off by default", "", down, expire, []step{with()}},
		{"too old", "stale_if_error 20ms", down, wait(100 * time.Millisecond), []step{with()}},
		{"another question", "stale_if_error 1m", down, expire, []step{{method: "GET", path: path + "?limit=3", status: 503, cache: "fwd=miss", calls: 1}}},
		{"another session", "stale_if_error 1m", down, expire, []step{with("X-Parse-Session-Token", "r:1")}},
		{"another key", "stale_if_error 1m", down, expire, []step{with("X-Parse-Rest-Api-Key", "k")}},
		{"the client wants a worker's answer", "stale_if_error 1m", down, expire, []step{refused(with("Cache-Control", "no-cache"), "fwd=request")}},
		{"the client takes nothing that old", "stale_if_error 1m", down, wait(1010 * time.Millisecond), []step{with("Cache-Control", "max-age=1")}},
		{"a write", "stale_if_error 1m", down, expire, []step{{method: "POST", path: path, body: "{}", status: 503, cache: "fwd=method", calls: 1}, with()}},
		{"a write of the class", "stale_if_error 1m", down, func(s *site) {
			expire(s)
			s.send(step{method: "PUT", path: path + "/o1", body: "{}"})
		}, []step{with()}},
		{"strict, and another gateway may have written", "stale_if_error 1m", down, func(s *site) {
			expire(s)
			joinOthers(s, true)
		}, []step{with()}},
		{"bounded, and another gateway may have written long ago", "stale_if_error 1m", down, func(s *site) {
			joinOthers(s, false)
			expire(s)
		}, []step{again}},
		{"a refusal is the worker's answer", "stale_if_error 1m", answers(400, `{"code":209,"error":"Invalid session token"}`), expire, []step{
			{method: "GET", path: path, status: 400, cache: "fwd=miss", calls: 1},
		}},
		{"so is an error of the app", "stale_if_error 1m", answers(500, `{"code":1,"error":"Internal server error."}`), expire, []step{
			{method: "GET", path: path, status: 500, cache: "fwd=miss", calls: 1},
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			failing := false
			w := newRecordingWorker(t, func(w http.ResponseWriter, r *http.Request, body string) {
				w.Header().Set("Content-Type", "application/json; charset=utf-8")
				if failing && !strings.HasSuffix(r.URL.Path, "/health") {
					tt.fails(w, r)
					return
				}
				results(w, r, body)
			})
			s := newSite(t, remoteSite(w, "cache {\nttl 50ms\n"+tt.cache+"\n}"))
			s.run(t, w, []step{{method: "GET", path: path, want: found, cache: "stored", calls: 1}})
			failing = true
			tt.then(s)
			parseHandlers(s.server.Routes)[0].routes[0].pool.Configure(upstream.Options{MaxWait: -1, RetryShare: 1, RetryPerSecond: 1000})
			s.run(t, w, tt.asks)
		})
	}
}

// joinOthers makes the gateway one of several, of which it has heard nothing yet.
func joinOthers(s *site, strict bool) {
	g := parseHandlers(s.server.Routes)[0].routes[0].gateway
	g.owner.node.Store(peers.New(peers.Options{Name: "one", App: "app", Cache: g.cache, Strict: strict, Logger: slog.New(slog.DiscardHandler)}))
}

// TestStaleIsSuperseded has a worker answer with what isn't stored, before it fails: nobody is served what is older.
func TestStaleIsSuperseded(t *testing.T) {
	const path = "/parse/classes/A"
	for _, tt := range []struct {
		name string
		asks step
	}{
		{"a question", step{method: "GET", cache: "fwd=miss"}},
		{"one for the head of the answer", step{method: "HEAD", cache: "fwd=miss"}},
		{"one that no entry may answer", step{method: "GET", header: map[string]string{"Cache-Control": "no-cache"}, cache: "fwd=request"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			status := 200
			w := newRecordingWorker(t, func(w http.ResponseWriter, r *http.Request, body string) {
				w.Header().Set("Content-Type", "application/json; charset=utf-8")
				if status != 200 {
					w.WriteHeader(status)
					return
				}
				results(w, r, body)
			})
			s := newSite(t, remoteSite(w, "cache {\nttl 50ms\nstale_if_error 1m\n}"))
			s.run(t, w, []step{{method: "GET", path: path, want: found, cache: "stored", calls: 1}})
			time.Sleep(60 * time.Millisecond)
			status = 403
			tt.asks.path, tt.asks.status, tt.asks.calls = path, 403, 1
			s.run(t, w, []step{tt.asks})
			status = 503
			s.run(t, w, []step{{method: "GET", path: path, status: 503, cache: "fwd=miss", calls: 4}})
		})
	}
}

// TestStaleOfASessionIsSuperseded has a worker answer a session with what isn't stored, when what the session stands for has
// expired as well.
func TestStaleOfASessionIsSuperseded(t *testing.T) {
	for _, answered := range []bool{false, true} {
		t.Run(fmt.Sprint("answered ", answered), func(t *testing.T) { staleOfASession(t, answered) })
	}
}

func staleOfASession(t *testing.T, answered bool) {
	unstorable := false
	s := newOwnSite(t, tampering{answer: func(h http.Header) {
		if unstorable {
			h.Set("Set-Cookie", "a=b")
		}
	}}, nil)
	rt := parseHandlers(s.server.Routes)[0].routes[0]
	rt.ttl, rt.stale = 50*time.Millisecond, time.Minute
	s.gateway.cache.SetStale(rt.stale)
	id, ann := s.signUp(t, "ann")
	path := "/parse/classes/Game/" + s.object(t, "Game", `{"ACL":{"`+id+`":{"read":true}}}`)
	if rec := s.ask(s.server, ann, "GET", path, ""); verdict(rec) != "stored" {
		t.Fatal(rec.Header())
	}
	time.Sleep(60 * time.Millisecond)
	if unstorable = true; answered {
		if rec := s.ask(s.server, ann, "GET", path, ""); rec.Code != 200 || verdict(rec) != "miss" {
			t.Fatal(rec.Code, rec.Header())
		}
	}
	rt.pool.Configure(upstream.Options{MaxWait: -1})
	if err := rt.pool.Remove("own"); err != nil {
		t.Fatal(err)
	}
	if rec := s.ask(s.server, ann, "GET", path, ""); (rec.Code == 200) == answered {
		t.Errorf("a worker has answered since: %v; then: %d, %s", answered, rec.Code, rec.Header().Get("Cache-Status"))
	}
}

// TestStaleWhenTheFeedIsLost has the feed be lost just while a question is looked up, and the worker fail.
func TestStaleWhenTheFeedIsLost(t *testing.T) {
	failing := false
	w := newRecordingWorker(t, func(w http.ResponseWriter, r *http.Request, body string) {
		if failing {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		results(w, r, body)
	})
	s := newSite(t, remoteSite(w, "cache {\nttl 50ms\nstale_if_error 1m\n}"))
	g := parseHandlers(s.server.Routes)[0].routes[0].gateway
	g.foreign = &foreign{level: cache.Fenced, transport: &fakeTransport{[]feed.State{feed.Lost, feed.Lost, feed.Live, feed.Lost}}}
	s.run(t, w, []step{{method: "GET", path: "/parse/classes/A", want: found, cache: "stored", calls: 1}})
	time.Sleep(60 * time.Millisecond)
	failing = true
	g.pool.Configure(upstream.Options{MaxWait: -1, Retries: -1})
	s.run(t, w, []step{{method: "GET", path: "/parse/classes/A", want: found, cache: "fwd=stale; fwd-status=503", calls: 1}})
}

// TestStaleWithoutAFeed has a bundled worker die at the level exact: what it had announced isn't served, the rest is.
func TestStaleWithoutAFeed(t *testing.T) {
	s := newOwnSite(t, tampering{}, nil)
	rt := parseHandlers(s.server.Routes)[0].routes[0]
	s.must(t, byMaster, "POST", "/schemas/Game", `{"className":"Game","fields":{"n":{"type":"Number"}}}`, nil)
	for _, id := range []string{"a", "b"} {
		s.object(t, "Game", `{"objectId":"`+id+`","n":1,"ACL":{"*":{"read":true}}}`)
	}
	_, ann := s.signUp(t, "ann")
	_, bob := s.signUp(t, "bob")
	asked := []struct {
		who  asker
		path string
	}{{byREST, "/parse/classes/Game/a"}, {byREST, "/parse/classes/Game/b"}, {ann, "/parse/classes/Game/a"}, {bob, "/parse/classes/Game/a"}}
	for range 2 {
		for _, q := range asked {
			s.ask(s.server, q.who, "GET", q.path, "")
		}
	}
	s.must(t, bob, "POST", "/logout", "{}", nil)

	here, there := net.Pipe()
	dead := s.gateway.hub.Attach("dead", here, change.Start{})
	r := change.NewReader(there)
	w := change.NewWriter(there)
	if _, err := r.Next(); err != nil {
		t.Fatal(err)
	}
	if err := w.Send(&change.Frame{Type: change.TypePrepare, ID: 1, Changes: []change.Change{{Class: "Game", ObjectID: "b", Kind: change.Update}}}); err != nil {
		t.Fatal(err)
	}
	f, err := r.Next()
	for ; err == nil && f.Type == change.TypePing; f, err = r.Next() {
	}
	if err != nil || f.Type != change.TypeAck {
		t.Fatal(f.Type, err)
	}
	w.Close()
	_ = there.Close()
	<-dead.Ended()
	if s.gateway.serving() {
		t.Fatal("the gateway serves although a worker is in doubt")
	}
	rt.pool.Configure(upstream.Options{MaxWait: -1})
	if err := rt.pool.Remove("own"); err != nil {
		t.Fatal(err)
	}
	for _, after := range []time.Duration{0, time.Minute} {
		rt.stale = after
		s.gateway.cache.SetStale(after)
		for i, q := range asked {
			rec := s.ask(s.server, q.who, "GET", q.path, "")
			verdict := rec.Header().Get("Cache-Status")
			if want := after > 0 && (i == 0 || i == 2); want != (rec.Code == 200) || want != strings.Contains(verdict, "fwd=stale; ttl=") {
				t.Errorf("stale_if_error %v: %s asks %s: %d, %s", after, q.who.name, q.path, rec.Code, verdict)
			}
		}
	}
}
