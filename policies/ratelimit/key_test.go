package ratelimit

import (
	"fmt"
	"strings"
	"testing"

	"github.com/parsescale/parsescale/policies/request"
)

const (
	sessionHeader    = "X-Parse-Session-Token"
	restHeader       = "X-Parse-Rest-Api-Key"
	javaScriptHeader = "X-Parse-Javascript-Key"
)

// find is a question with the header fields.
func find(header ...string) *request.Request { return classified("GET", "/classes/A", "", header...) }

// gate is a zone and what is known of its clients.
type gate struct {
	known *Known
	zones Zones
}

func newGate(t *testing.T, app string, key Key, burst int64) *gate {
	t.Helper()
	known, err := NewKnown(app)
	if err != nil {
		t.Fatal(err)
	}
	return &gate{known, Zones{testZone(t, "z", key, burst)}}
}

// ask charges a request. If it passes and is answered with success, what its credentials are is learned.
func (g *gate) ask(r *request.Request, ip string, success bool) (passed bool) {
	charged := g.zones.Take(nil, g.known.Client(r, ip, g.zones), r)
	if charged.OK && success && g.known.Learn(r, g.zones, Answer{}) {
		charged.Move(g.known.Client(r, ip, g.zones))
	}
	return charged.OK
}

// TestKeys lists who is counted together, of clients whose credentials a worker has accepted.
func TestKeys(t *testing.T) {
	for _, c := range []struct {
		name       string
		key        Key
		one, other []string // header fields
		ip         string   // of the other
		together   bool
	}{
		{"an app", ByApp, nil, nil, "10.0.0.2", true},
		{"an app's address", ByAppIP, nil, nil, "10.0.0.1", true},
		{"another address of an app", ByAppIP, nil, nil, "10.0.0.2", false},
		{"an address", ByIP, nil, nil, "10.0.0.1", true},
		{"another address", ByIP, nil, nil, "10.0.0.2", false},
		{"another app at the address", ByIP, nil, []string{"X-Parse-Application-Id", "other"}, "10.0.0.1", true},
		{"another app", ByApp, nil, []string{"X-Parse-Application-Id", "other"}, "10.0.0.1", false},
		{"a session from elsewhere", BySession, []string{sessionHeader, "r:1"}, []string{sessionHeader, "r:1"}, "10.0.0.2", true},
		{"another session", BySession, []string{sessionHeader, "r:1"}, []string{sessionHeader, "r:2"}, "10.0.0.1", false},
		{"no session", BySession, []string{sessionHeader, "r:1"}, nil, "10.0.0.1", false},
		{"no session, twice", BySession, nil, nil, "10.0.0.1", true},
		{"an address that looks like a session", BySession, []string{sessionHeader, "10.0.0.1"}, nil, "10.0.0.1", false},
		{"a key from elsewhere", ByAPIKey, []string{restHeader, "k"}, []string{restHeader, "k"}, "10.0.0.2", true},
		{"another key", ByAPIKey, []string{restHeader, "k"}, []string{restHeader, "l"}, "10.0.0.1", false},
		{"the same text as another kind of key", ByAPIKey, []string{restHeader, "k"}, []string{javaScriptHeader, "k"}, "10.0.0.1", false},
		{"a key beside the right one", ByAPIKey, []string{restHeader, "k"}, []string{restHeader, "k", javaScriptHeader, "l"}, "10.0.0.2", true},
		{"no key", ByAPIKey, []string{restHeader, "k"}, nil, "10.0.0.1", false},
	} {
		g := newGate(t, "", c.key, 2)
		for _, r := range []*request.Request{find(c.other...), find(c.one...)} {
			g.known.Learn(r, g.zones, Answer{})
		}
		for range 2 {
			if !g.ask(find(c.one...), "10.0.0.1", true) {
				t.Fatalf("%s: the first requests are refused", c.name)
			}
		}
		if together := !g.ask(find(c.other...), c.ip, true); together != c.together {
			t.Errorf("%s: counted together: %v, want %v", c.name, together, c.together)
		}
	}
}

// TestInventions has one customer, who knows an app's id, send all kinds of inventions. Workers refuse them, or accept them for
// something else that is right.
func TestInventions(t *testing.T) {
	for _, c := range []struct {
		name    string
		app     string // that the gateway was told
		key     Key
		invent  func(i int) *request.Request
		success bool
		passed  int
	}{
		{"session tokens", "app", BySession, func(i int) *request.Request { return find(sessionHeader, fmt.Sprint("r:", i)) }, false, 5},
		{"session tokens, and the app was learned", "", BySession, func(i int) *request.Request { return find(sessionHeader, fmt.Sprint("r:", i)) }, false, 5},
		{"session tokens at a log-in", "app", BySession, func(i int) *request.Request {
			return classified("POST", "/login", "{}", sessionHeader, fmt.Sprint("r:", i))
		}, true, 5},
		{"session tokens with the master key", "app", BySession, func(i int) *request.Request {
			return find(sessionHeader, fmt.Sprint("r:", i), "X-Parse-Master-Key", "m")
		}, true, 5},
		{"session tokens beside another one in the body", "app", BySession, func(i int) *request.Request {
			return classified("POST", "/classes/A", `{"_method":"GET","_ApplicationId":"app","_SessionToken":"r:right"}`, sessionHeader, fmt.Sprint("r:", i))
		}, true, 5},
		{"session tokens at a health check", "app", BySession, func(i int) *request.Request {
			return classified("GET", "/health", "", sessionHeader, fmt.Sprint("r:", i))
		}, true, 5},
		{"session tokens for a file", "app", BySession, func(i int) *request.Request {
			return classified("GET", "/files/app/f", "", sessionHeader, fmt.Sprint("r:", i))
		}, true, 5},
		{"session tokens, by user", "app", ByUser, func(i int) *request.Request { return find(sessionHeader, fmt.Sprint("r:", i)) }, false, 5},
		{"keys", "app", ByAPIKey, func(i int) *request.Request { return find(restHeader, fmt.Sprint(i)) }, false, 5},
		{"keys beside a right one", "app", ByAPIKey, func(i int) *request.Request {
			return find(restHeader, fmt.Sprint(i), javaScriptHeader, "right")
		}, true, 5},
		// Where workers take any key each is as good as another, but no more than the bound are told apart.
		{"keys that a worker takes", "app", ByAPIKey, func(i int) *request.Request { return find(restHeader, fmt.Sprint(i)) }, true, maxKnownKeys + 5},
		{"application ids", "", ByApp, func(i int) *request.Request { return find("X-Parse-Application-Id", fmt.Sprint(i)) }, false, 5},
		{"application ids, by the app's address", "", ByAppIP, func(i int) *request.Request { return find("X-Parse-Application-Id", fmt.Sprint(i)) }, false, 5},
		{"application ids where it was told", "app", ByApp, func(i int) *request.Request { return find("X-Parse-Application-Id", fmt.Sprint(i)) }, true, 5},
		{"application ids beside another one in the body", "", ByApp, func(i int) *request.Request {
			return classified("POST", "/classes/A", `{"_method":"GET","_ApplicationId":"app"}`, "X-Parse-Application-Id", fmt.Sprint("r:", i))
		}, true, 5},
		{"application ids beside another one that only a worker can read", "", ByApp, func(i int) *request.Request {
			return classified("POST", "/classes/A", `{"_method":"GET","_ApplicationId":["app"]}`, "X-Parse-Application-Id", fmt.Sprint("r:", i))
		}, true, 5},
		{"application ids beside a compressed body", "", ByApp, func(i int) *request.Request {
			return classified("POST", "/classes/A", "\x1f\x8b", "X-Parse-Application-Id", fmt.Sprint("r:", i), "Content-Encoding", "gzip")
		}, true, 5},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newGate(t, c.app, c.key, 5)
			if c.app == "" && c.key == BySession {
				g.known.Learn(find(), g.zones, Answer{})
			}
			passed := 0
			for i := range 200 {
				if g.ask(c.invent(i), fmt.Sprintf("2001:db8::%x", i), c.success) {
					passed++
				}
			}
			if passed != c.passed {
				t.Errorf("%d requests passed, want %d", passed, c.passed)
			}
		})
	}
}

// TestLearning checks that what was charged before a client is known is charged once, to who it is.
func TestLearning(t *testing.T) {
	g := newGate(t, "app", BySession, 3)
	mine := find(sessionHeader, "r:1")
	for i := range 5 {
		if passed := g.ask(mine, "10.0.0.1", true); passed != (i < 3) {
			t.Errorf("request %d of the session: passed %v", i, passed)
		}
	}
	for i := range 5 { // its first is no longer charged to the address
		if passed := g.ask(find(), "10.0.0.1", true); passed != (i < 3) {
			t.Errorf("request %d without a session: passed %v", i, passed)
		}
	}
	other := find(sessionHeader, "r:2")
	if g.ask(other, "10.0.0.1", true) {
		t.Error("a session that nobody knows passes though its address has used up its rate")
	}
	if !g.ask(other, "10.0.0.2", true) || !g.ask(other, "10.0.0.1", true) {
		t.Error("a session that is known doesn't pass")
	}
}

// TestConfiguredKeys knows the keys of workers from the start, and takes no other for one.
func TestConfiguredKeys(t *testing.T) {
	g := newGate(t, "app", ByAPIKey, 2)
	g.known.SetKeys(request.ClientKeys{REST: "k"})
	right := find(restHeader, "k", javaScriptHeader, "")
	for i := range 3 {
		if passed := g.ask(right, fmt.Sprint("10.0.0.", i), true); passed != (i < 2) {
			t.Errorf("request %d with the right key: passed %v", i, passed)
		}
	}
	for i := range 4 {
		if passed := g.ask(find(javaScriptHeader, fmt.Sprint(i)), "10.0.0.1", true); passed != (i < 2) {
			t.Errorf("request %d with another key: passed %v", i, passed)
		}
	}
}

func TestKnownIsBounded(t *testing.T) {
	g := newGate(t, "app", BySession, 1)
	for i := range maxKnownSessions + 1000 {
		g.known.Learn(find(sessionHeader, fmt.Sprint("r:", i)), g.zones, Answer{})
	}
	if n := g.known.sessions.Len(); n != maxKnownSessions {
		t.Errorf("%d sessions are known", n)
	}
	if c := g.known.Client(find(sessionHeader, "r:999"), "", g.zones); c.Session != "" {
		t.Error("the least recent session is still known")
	}
}

// TestUsers lists from what it is learned whose a session is: then all of a user's sessions are counted together.
func TestUsers(t *testing.T) {
	const session = "r:1"
	mine := find(sessionHeader, session)
	for _, c := range []struct {
		name   string
		asked  *request.Request
		answer Answer
		user   string
	}{
		{"a worker that tells", mine, Answer{User: "ann"}, "ann"},
		{"a worker that doesn't", mine, Answer{Body: []byte(`{"objectId":"x","sessionToken":"r:1"}`)}, ""},
		{"the question who one is", classified("GET", "/users/me", "", sessionHeader, session), Answer{Body: []byte(`{"objectId":"ann","ObjectId":"bob","user":{"objectId":"bob"}}`)}, "ann"},
		{"the question which session it is", classified("GET", "/sessions/me", "", sessionHeader, session), Answer{Body: []byte(`{"objectId":"s","user":{"objectId":"bob"}}`)}, ""},
		{"a log-in", classified("POST", "/login", "{}"), Answer{Body: []byte(`{"objectId":"ann","sessionToken":"r:1"}`)}, "ann"},
		{"a log-in by the SDK", classified("POST", "/login", `{"_method":"GET"}`), Answer{Body: []byte(`{"sessionToken":"r:1","objectId":"ann"}`)}, "ann"},
		{"a sign-up", classified("POST", "/users", "{}"), Answer{Body: []byte(`{"objectId":"ann","sessionToken":"r:1"}`)}, "ann"},
		{"a sign-up without a session", classified("POST", "/users", "{}"), Answer{Body: []byte(`{"objectId":"ann"}`)}, ""},
		{"a log-in for somebody else", classified("POST", "/loginAs", "{}", "X-Parse-Master-Key", "m"), Answer{Body: []byte(`{"objectId":"ann","sessionToken":"r:1"}`)}, ""},
		{"a body that isn't read", classified("POST", "/login", "{}"), Answer{Body: []byte("\x1f\x8b")}, ""},
		{"a body of something else", classified("POST", "/login", "{}"), Answer{Body: []byte(`{"objectId":1,"sessionToken":"r:1"}`)}, ""},
		{"a very long name", mine, Answer{User: strings.Repeat("x", maxUserLength+1)}, ""},
		{"a function that says so", classified("POST", "/functions/f", "{}"), Answer{Body: []byte(`{"objectId":"ann","sessionToken":"r:1"}`)}, ""},
	} {
		g := newGate(t, "app", ByUser, 1)
		g.known.Learn(c.asked, g.zones, c.answer)
		if got := g.known.Client(mine, "10.0.0.1", g.zones).User; got != c.user {
			t.Errorf("%s: the user is %q, want %q", c.name, got, c.user)
		}
	}
	g := newGate(t, "app", ByUser, 3)
	for i := range 5 {
		r, ip := find(sessionHeader, fmt.Sprint("r:", i)), fmt.Sprint("10.0.0.", i)
		charged := g.zones.Take(nil, g.known.Client(r, ip, g.zones), r)
		if charged.OK && g.known.Learn(r, g.zones, Answer{User: "ann"}) {
			charged.Move(g.known.Client(r, ip, g.zones))
		}
	}
	ann := find(sessionHeader, "r:0")
	if g.ask(ann, "10.0.0.9", true) {
		t.Error("a user's sessions aren't counted together")
	}
	g.known.Learn(ann, g.zones, Answer{}) // an answer that doesn't tell changes nothing
	if c := g.known.Client(ann, "", g.zones); c.User != "ann" {
		t.Errorf("the user is forgotten: %+v", c)
	}
	other := newGate(t, "app", ByUser, 1)
	one, two := find(sessionHeader, "r:1"), find(sessionHeader, "r:2")
	if !other.ask(one, "10.0.0.1", true) || other.ask(one, "10.0.0.2", true) || !other.ask(two, "10.0.0.1", true) {
		t.Error("sessions whose users aren't known aren't counted by session")
	}
}
