package caddymodule

import (
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/parsescale/parsescale/policies/cache"
	"github.com/parsescale/parsescale/policies/upstream"
	"github.com/parsescale/parsescale/server/change"
)

// checked waits until as many checks ended, and returns them by result, whatever the age.
func checked(t *testing.T, g *gateway, n uint64) map[string]uint64 {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		counts, total := map[string]uint64{}, uint64(0)
		for result, ages := range g.checks.Counts() {
			for _, k := range ages {
				counts[result] += k
				total += k
			}
		}
		if total >= n {
			return counts
		}
		if time.Now().After(end) {
			t.Fatalf("checks: %v, want %d in all", counts, n)
		}
	}
}

// TestSelfCheckFindsABrokenCache keeps changes from the cache, and demands that the check notices.
func TestSelfCheckFindsABrokenCache(t *testing.T) {
	silent := false
	s := newOwnSite(t, tampering{hush: func(change.Change) bool { return silent }}, nil)
	parseHandlers(s.server.Routes)[0].routes[0].check = 1
	id := s.object(t, "Game", `{"n":1,"ACL":{"*":{"read":true}}}`)
	_, ada := s.signUp(t, "ada")
	for i, tt := range []struct {
		who        asker
		path, body string
	}{
		{byREST, "/parse/classes/Game/" + id, `{"n":2}`},
		{byREST, "/parse" + where("Game", `{"n":{"$gt":0}}`), `{"n":3}`},
		{ada, "/parse/classes/Game", `{"n":4,"ACL":{}}`},
	} {
		s.ask(s.server, tt.who, "GET", tt.path, "")
		old := s.ask(s.server, tt.who, "GET", tt.path, "")
		if got := checked(t, s.gateway, uint64(2*i+1)); got["same"] != uint64(i+1) {
			t.Fatalf("%s: checks %v before anything is wrong", tt.path, got)
		}
		silent = true
		s.must(t, byMaster, "PUT", "/classes/Game/"+id, tt.body, nil)
		silent = false
		if rec := s.ask(s.server, tt.who, "GET", tt.path, ""); verdict(rec) != "hit" || rec.Body.String() != old.Body.String() {
			t.Fatalf("%s: %s: the cache isn't broken: %s", tt.path, verdict(rec), rec.Body)
		}
		if got := checked(t, s.gateway, uint64(2*i+2)); got["different"] != uint64(i+1) {
			t.Fatalf("%s: checks %v, want the difference found", tt.path, got)
		}
		if rec := s.ask(s.server, tt.who, "GET", tt.path, ""); verdict(rec) == "hit" || rec.Body.String() == old.Body.String() {
			t.Errorf("%s: %s: what differs is still served: %s", tt.path, verdict(rec), rec.Body)
		}
	}
}

// TestSelfCheckOfSessions checks what a session is shown by a bundled worker whose database others may write to: that the
// session ends some day is no reason to leave it out.
func TestSelfCheckOfSessions(t *testing.T) {
	s := newOwnSite(t, tampering{}, nil)
	s.gateway.level = cache.TTL
	parseHandlers(s.server.Routes)[0].routes[0].check = 1
	_, ann := s.signUp(t, "ann")
	id := s.object(t, "Game", `{"n":1}`)
	for range 2 {
		s.ask(s.server, ann, "GET", "/parse/classes/Game/"+id, "")
	}
	if got := checked(t, s.gateway, 1); got["same"] != 1 {
		t.Errorf("checks %v", got)
	}
}

// TestSelfCheckOfASoundCache checks hits while objects, permissions, roles and sessions change, and must find nothing.
func TestSelfCheckOfASoundCache(t *testing.T) {
	p := newProof(t, tampering{}, anACL, aField, anObject, aMember, permissions, allPublic, aSession, aPassword, anOwner)
	parseHandlers(p.s.server.Routes)[0].routes[0].check = 1
	c := seeded{t, rand.New(rand.NewPCG(3, 4))}
	for range 60 {
		p.do(c)
	}
	got := checked(t, p.s.gateway, 100)
	t.Logf("%d hits, checks %v", p.hits, got)
	if got["different"] > 0 || got["same"] < 50 {
		t.Errorf("checks %v", got)
	}
}

// TestSelfCheckAtTTL has a worker whose answers change by themselves, or while a check is under way.
func TestSelfCheckAtTTL(t *testing.T) {
	for _, tt := range []struct {
		name   string
		then   func(w http.ResponseWriter, s *site) // how the worker answers the check
		result string
		after  string // what becomes of the next question
	}{
		{"the same", func(w http.ResponseWriter, _ *site) { _, _ = io.WriteString(w, found) }, "same", "hit"},
		{"another choice, where any may be made", func(w http.ResponseWriter, _ *site) {
			_, _ = io.WriteString(w, `{"results":[{"objectId":"o2","n":1}]}`)
		}, "undecided", "hit"},
		{"another answer", func(w http.ResponseWriter, _ *site) { _, _ = io.WriteString(w, `{"results":[]}`) }, "different", "fwd=miss"},
		{"a refusal", func(w http.ResponseWriter, _ *site) {
			w.WriteHeader(400)
			_, _ = io.WriteString(w, `{"code":209,"error":"Invalid session token"}`)
		}, "different", "fwd=miss"},
		{"an error of the worker", func(w http.ResponseWriter, _ *site) {
			w.WriteHeader(500)
			_, _ = io.WriteString(w, `{"code":1,"error":"Internal server error."}`)
		}, "undecided", "hit"},
		{"a limit of the worker", func(w http.ResponseWriter, _ *site) { w.WriteHeader(429) }, "undecided", "hit"},
		{"a write meanwhile", func(w http.ResponseWriter, s *site) {
			purgeAll(s)
			_, _ = io.WriteString(w, `{"results":[]}`)
		}, "undecided", "fwd=miss"},
		{"an answer that is too large to be kept", func(w http.ResponseWriter, _ *site) {
			_, _ = io.WriteString(w, `{"results":[{"objectId":"`+strings.Repeat("x", 4096)+`"}]}`)
		}, "different", "fwd=miss"},
		{"a write meanwhile, and such an answer", func(w http.ResponseWriter, s *site) {
			purgeAll(s)
			_, _ = io.WriteString(w, `{"results":[{"objectId":"`+strings.Repeat("x", 4096)+`"}]}`)
		}, "undecided", "fwd=miss"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var s *site
			n := 0
			w := newRecordingWorker(t, func(w http.ResponseWriter, r *http.Request, body string) {
				w.Header().Set("Content-Type", "application/json")
				if strings.HasSuffix(r.URL.Path, "/health") {
					return
				}
				if n++; n == 2 {
					if r.Header.Get("X-Parse-Session-Token") != "r:1" || r.Header.Get("If-None-Match") != "" || !strings.Contains(body, "where") {
						t.Errorf("the check asks otherwise: %v %s", r.Header, body)
					}
					tt.then(w, s)
					return
				}
				_, _ = io.WriteString(w, found)
			})
			s = newSite(t, remoteSite(w, "cache {\nself_check 100%\n}"))
			g := parseHandlers(s.server.Routes)[0].routes[0].gateway
			g.pool.Configure(upstream.Options{BufferLimit: 1024})
			ask := step{
				method: "POST", path: "/parse/classes/A", body: `{"_method":"GET","where":{"n":1}}`,
				header: map[string]string{"X-Parse-Session-Token": "r:1", "If-None-Match": `"other"`}, want: found,
			}
			ask.cache, ask.calls = "stored", 1
			s.run(t, w, []step{ask})
			parseHandlers(s.server.Routes)[0].routes[0].check = 1
			rec := s.send(ask)
			if rec.Header().Get("Cache-Status") != "parsescale; hit" {
				t.Fatal(rec.Header())
			}
			if got := checked(t, g, 1); got[tt.result] != 1 {
				t.Fatalf("checks %v, want %s", got, tt.result)
			}
			if !g.pool.Idle() {
				t.Error("the worker still counts as busy with the check")
			}
			parseHandlers(s.server.Routes)[0].routes[0].check = 0
			ask.cache, ask.calls = tt.after, 1
			if tt.after == "hit" {
				ask.calls = 0
			}
			s.run(t, w, []step{ask})
		})
	}
}

func purgeAll(s *site) { parseHandlers(s.server.Routes)[0].routes[0].cache.Purge("", "") }
