package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/parsescale/parsescale/server/cloud"
)

// question is a request by one of a worker's callers.
type question struct {
	name         string
	method, path string
	header       map[string]string
	body         string
}

// everyQuestionCalls asks each question three times and checks that a worker was asked each time, and that nothing is kept.
func everyQuestionCalls(t *testing.T, h http.Handler, calls func() int, entries func() int, questions []question) {
	for _, q := range questions {
		t.Run(q.name, func(t *testing.T) {
			for range 3 {
				before := calls()
				r := httptest.NewRequest(q.method, "/parse"+q.path, strings.NewReader(q.body))
				if q.body == "" {
					r = httptest.NewRequest(q.method, "/parse"+q.path, http.NoBody)
				}
				if !strings.Contains(q.body, "_ApplicationId") {
					r.Header.Set("X-Parse-Application-Id", ownApp)
				}
				if q.body != "" {
					r.Header.Set("Content-Type", "text/plain")
				}
				for k, v := range q.header {
					r.Header.Set(k, v)
				}
				rec := httptest.NewRecorder()
				h.ServeHTTP(rec, r)
				if n := calls() - before; n != 1 {
					t.Errorf("%d requests reached a worker, want 1; Cache-Status %q", n, rec.Header().Get("Cache-Status"))
				}
				if v := verdict(rec); v == "hit" || v == "stored" {
					t.Errorf("Cache-Status %q", rec.Header().Get("Cache-Status"))
				}
				for name := range rec.Header() {
					if isInternal(name) {
						t.Errorf("%s reached the client", name)
					}
				}
			}
			if n := entries(); n != 0 {
				t.Errorf("%d answers are kept", n)
			}
		})
	}
}

// sdk is a question as the JavaScript SDK sends it.
func sdk(name, path, members string) question {
	return question{name: name, method: "POST", path: path, body: `{"_method":"GET","_ApplicationId":"app"` + members + `}`}
}

// TestNeverCached asks what may never be answered from memory, of a worker that answers everything with 200 and results.
func TestNeverCached(t *testing.T) {
	w := newRecordingWorker(t, func(w http.ResponseWriter, _ *http.Request, _ string) {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		_, _ = io.WriteString(w, found)
	})
	s := newSite(t, remoteSite(w, "cache"))
	c := parseHandlers(s.server.Routes)[0].routes[0].cache
	get := func(name, path string, header ...string) question {
		h := map[string]string{}
		for i := 0; i < len(header); i += 2 {
			h[header[i]] = header[i+1]
		}
		return question{name: name, method: "GET", path: path, header: h}
	}
	everyQuestionCalls(t, s.server, w.count, func() int { return c.Stats().Entries }, []question{
		get("the master key", "/classes/A", "X-Parse-Master-Key", "m"),
		get("an empty master key", "/classes/A", "X-Parse-Master-Key", ""),
		get("the maintenance key", "/classes/A", "X-Parse-Maintenance-Key", "m"),
		get("Basic authorization", "/classes/A", "Authorization", "Basic YXBwOm0="),
		sdk("the master key in a body", "/classes/A", `,"_MasterKey":"m"`),
		sdk("the master key in a body, escaped", "/classes/A", `,"_M\u0061sterKey":"m"`),
		get("a cloud context", "/classes/A", "X-Parse-Cloud-Context", "{}"),
		sdk("a cloud context in a body", "/classes/A", `,"_context":{}`),
		get("log in", "/login?username=a&password=b"),
		sdk("log in by POST", "/login", `,"username":"a","password":"b"`),
		get("verify a password", "/verifyPassword?username=a&password=b"),
		get("the user of a session", "/users/me", "X-Parse-Session-Token", "r:1"),
		sdk("the user of a session in a body", "/users/me", `,"_SessionToken":"r:1"`),
		get("the user of a session, another spelling", "/Users/ME/", "X-Parse-Session-Token", "r:1"),
		get("sessions", "/sessions", "X-Parse-Session-Token", "r:1"),
		get("a session", "/sessions/s1", "X-Parse-Session-Token", "r:1"),
		get("the present session", "/sessions/me", "X-Parse-Session-Token", "r:1"),
		get("sessions as a class", "/classes/_Session", "X-Parse-Session-Token", "r:1"),
		get("sessions as a class, escaped", "/classes/%5FSession", "X-Parse-Session-Token", "r:1"),
		get("installations", "/installations"),
		get("an installation", "/classes/_Installation/i1"),
		get("the classes of pushes", "/classes/_PushStatus"),
		get("the classes of jobs", "/classes/_JobStatus"),
		get("hooks as a class", "/classes/_Hooks"),
		get("a join table", "/classes/_Join:users:_Role"),
		{name: "a function", method: "POST", path: "/functions/f", body: `{}`},
		sdk("a function by GET", "/functions/f", ``),
		{name: "a job", method: "POST", path: "/jobs/j", body: `{}`},
		{name: "a batch of reads", method: "POST", path: "/batch", body: `{"requests":[{"method":"GET","path":"/parse/classes/A"}]}`},
		{name: "an upload", method: "POST", path: "/files/f.txt", body: `x`, header: map[string]string{"Content-Type": "text/plain"}},
		get("a download", "/files/app/f.txt"),
		{name: "a file that goes", method: "DELETE", path: "/files/f.txt"},
		get("the schemas", "/schemas"),
		get("the config", "/config"),
		get("an aggregation", "/aggregate/A"),
		get("the server's features", "/serverInfo"),
		get("health", "/hooks/functions"),
		get("explain", "/classes/A?explain=true"),
		sdk("explain in a body", "/classes/A", `,"explain":"queryPlanner"`),
		get("a secondary", "/classes/A?readPreference=SECONDARY"),
		get("a secondary for includes", "/classes/A?include=b&includeReadPreference=NEAREST"),
		get("a secondary for sub-queries", "/classes/A?subqueryReadPreference=SECONDARY"),
		get("a redirection", "/classes/A?redirectClassNameForKey=r"),
		get("a relative time", "/classes/A?where=%7B%22t%22:%7B%22$gt%22:%7B%22$relativeTime%22:%221%20day%20ago%22%7D%7D%7D"),
		get("an unknown parameter", "/classes/A?nope=1"),
		get("a parameter twice", "/classes/A?limit=1&limit=2"),
		get("parameters in brackets", "/classes/A?where[n]=1"),
		get("a where that can't be read", "/classes/A?where=%7B"),
		{name: "a body with GET", method: "GET", path: "/classes/A", body: `{"limit":1}`},
		{name: "a body and parameters", method: "POST", path: "/classes/A?limit=1", body: `{"_method":"GET","limit":2,"_ApplicationId":"app"}`},
		{name: "a write by POST", method: "POST", path: "/classes/A/o1", body: `{"_method":"PUT","n":1,"_ApplicationId":"app"}`},
		{name: "two methods", method: "POST", path: "/classes/A", body: `{"_method":"GET","_method":"POST","_ApplicationId":"app"}`},
		{name: "a form", method: "POST", path: "/classes/A", body: `_method=GET`, header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}},
		get("no-store", "/classes/A", "Cache-Control", "no-store"),
		get("a range", "/classes/A", "Range", "bytes=0-1"),
		{name: "HEAD", method: "HEAD", path: "/classes/A"},
		{name: "credentials in both places", method: "POST", path: "/classes/A", body: `{"_method":"GET","_ApplicationId":"app"}`, header: map[string]string{"X-Parse-Application-Id": "app"}},
		get("a path with a dot", "/classes/A/."),
		get("an odd id", "/classes/A/a%2Fb"),
	})
}

// TestAnswersNeverCached has a worker give answers that may never be kept, to a question whose answer otherwise is.
func TestAnswersNeverCached(t *testing.T) {
	type reply struct {
		name, path   string
		status       int
		body, header string
	}
	for _, tt := range []reply{
		{"a session token", "/users/u1", 200, `{"objectId":"u1","sessionToken":"r:1"}`, ""},
		{"a session token among results", "/users", 200, `{"results":[{"objectId":"u1","sessionToken":"r:1"}]}`, ""},
		{"a cookie", "/classes/A", 200, found, "Set-Cookie: a=b"},
		{"no-store", "/classes/A", 200, found, "Cache-Control: max-age=5, No-Store"},
		{"private", "/classes/A", 200, found, "Cache-Control: private"},
		{"private but for a field", "/classes/A", 200, found, `Cache-Control: max-age=5, private="X-User"`},
		{"no-cache", "/classes/A", 200, found, "Cache-Control: no-cache"},
		{"what varies by more than Origin", "/classes/A", 200, found, "Vary: Origin, X-User"},
		{"HTML", "/classes/A", 200, "<html>", "Content-Type: text/html"},
		{"no type", "/classes/A", 200, found, "Content-Type: "},
		{"JSON that isn't", "/classes/A", 200, `{"results":[{]}`, ""},
		{"two values", "/classes/A", 200, found + found, ""},
		{"a list", "/classes/A", 200, `[]`, ""},
		{"other successes", "/classes/A", 203, found, ""},
		{"too large", "/classes/A", 200, `{"results":[{"objectId":"o1","s":"` + strings.Repeat("x", 2048) + `"}]}`, ""},
		{"not found by a find", "/classes/A", 404, `{"code":101,"error":"Object not found."}`, ""},
		{"not found with another status", "/classes/A/o1", 400, `{"code":101,"error":"Object not found."}`, ""},
		{"not found without a code", "/classes/A/o1", 404, `{"error":"Object not found."}`, ""},
		{"not found of another kind", "/classes/A/o1", 404, `{"code":141,"error":"Object not found."}`, ""},
		{"refused", "/classes/A", 403, `{"error":"unauthorized"}`, ""},
		{"an invalid session", "/classes/A", 400, `{"code":209,"error":"Invalid session token"}`, ""},
		{"too many", "/classes/A", 429, `{"code":100,"error":"Too many requests."}`, ""},
		{"an error", "/classes/A", 500, `{"code":1,"error":"Internal server error."}`, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newRecordingWorker(t, func(w http.ResponseWriter, _ *http.Request, _ string) {
				w.Header().Set("Content-Type", "application/json; charset=utf-8")
				if name, value, ok := strings.Cut(tt.header, ": "); ok {
					w.Header().Set(name, value)
				}
				w.WriteHeader(tt.status)
				_, _ = io.WriteString(w, tt.body)
			})
			s := newSite(t, remoteSite(w, "cache {\nmax_object 1KB\n}"))
			c := parseHandlers(s.server.Routes)[0].routes[0].cache
			everyQuestionCalls(t, s.server, w.count, func() int { return c.Stats().Entries }, []question{
				{name: "by GET", method: "GET", path: tt.path}, sdk("by the SDK", tt.path, ""),
			})
		})
	}
}

// TestNeverCachedOfOwnWorkers asks a real worker what it alone knows to be unfit: classes whose finds run the app's code,
// and users' own tokens. What doesn't tell what it depends on, or for whom it is, isn't kept either.
func TestNeverCachedOfOwnWorkers(t *testing.T) {
	code := func(c *cloud.Cloud) error {
		return errors.Join(
			c.BeforeFind("Before", func(context.Context, *cloud.TriggerRequest) error { return nil }, cloud.Validator{}),
			c.AfterFind("After", func(context.Context, *cloud.TriggerRequest) error { return nil }, cloud.Validator{}),
		)
	}
	var tamper func(http.Header)
	s := newOwnSite(t, tampering{answer: func(h http.Header) {
		if tamper != nil {
			tamper(h)
		}
	}}, code)
	annID, ann := s.signUp(t, "ann")
	after := s.object(t, "After", `{"n":1}`)
	s.object(t, "Before", `{"n":1}`)
	s.object(t, "Plain", fmt.Sprintf(`{"n":1,"after":{"__type":"Pointer","className":"After","objectId":%q}}`, after))
	calls := func() int { return int(s.asked.Load()) }
	ask := func(name, path string, who asker) question {
		return question{name: name, method: "GET", path: path, header: who.header}
	}
	never := func(t *testing.T, questions ...question) {
		everyQuestionCalls(t, s.server, calls, func() int { return s.gateway.cache.Stats().Entries }, questions)
	}
	t.Run("triggers and tokens", func(t *testing.T) {
		never(t,
			ask("a class with beforeFind", "/classes/Before", byREST),
			ask("a class with afterFind", "/classes/After", byREST),
			ask("an object of such a class", "/classes/After/"+after, byREST),
			ask("an object of such a class that isn't there", "/classes/After/gone", byREST),
			ask("an include of such a class", "/classes/Plain?include=after", byREST),
			ask("a sub-query of such a class", where("Plain", `{"after":{"$inQuery":{"className":"After","where":{}}}}`), byREST),
			ask("one's own user, with the token", "/users/"+annID, ann),
			ask("the user of the session", "/users/me", ann),
			ask("a wrong session", "/classes/Plain", session("nobody", "r:wrong")),
			ask("a wrong key", "/classes/Plain", byREST.with("wrong", "X-Parse-REST-API-Key", "wrong")),
			ask("the master key", "/classes/Plain", byMaster),
		)
	})
	for name, alter := range map[string]func(http.Header){
		"no dependencies are told":      func(h http.Header) { h.Del("X-Parsescale-Reads") },
		"unreadable dependencies":       func(h http.Header) { h.Set("X-Parsescale-Reads", "for=some") },
		"no rights are told":            func(h http.Header) { h.Del("X-Parsescale-Rights") },
		"unreadable rights":             func(h http.Header) { h.Set("X-Parsescale-Rights", "0123456789abcdef a=b") },
		"rights without their name":     func(h http.Header) { h.Set("X-Parsescale-Rights", "_Session:s1") },
		"rights that are told twice":    func(h http.Header) { h.Add("X-Parsescale-Rights", "0123456789abcdef _Session:s1") },
		"rights that depend on nothing": func(h http.Header) { h.Set("X-Parsescale-Rights", "0123456789abcdef") },
	} {
		t.Run(name, func(t *testing.T) {
			tamper = alter
			defer func() { tamper = nil }()
			never(t, ask("a user", "/classes/Plain", ann))
		})
	}
	// What is left is: otherwise all this would be true of a cache that keeps nothing.
	for range 2 {
		s.ask(s.server, ann, "GET", "/parse/classes/Plain", "")
	}
	if st := s.gateway.cache.Stats(); st.Entries != 1 || st.Hits != 1 {
		t.Errorf("an ordinary answer: %d entries, %d hits", st.Entries, st.Hits)
	}
}
