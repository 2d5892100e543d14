package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/parsescale/parsescale/server/testservices"
)

// step is one request of a scenario and what has to come of it. In path and body, {name} stands for what an earlier
// step kept under that name.
type step struct {
	method, path, body string
	as                 string // whose request: "" for the app's REST key, or one of the clients of TestCacheThroughGateway
	status             int    // 0: 200
	verdict            string // "" for any, kept: asked until it is a hit
	contains, lacks    string // parts of the body
	keep               string // keep the answer's objectId under this name
}

// kept is the verdict of a step that makes sure that the answer is stored (see client.stored).
const kept = "kept"

// scenarios are what a client relies on, told as requests in order. Each has a class of its own, {class}.
var scenarios = []struct {
	name  string
	exact bool // holds only where the gateway learns which objects a write touches
	steps []step
}{
	{name: "a find is stored, and one question has one answer however it is put", steps: []step{
		{method: "POST", path: "/classes/{class}", body: `{"n":1,"s":"x","d":{"__type":"Date","iso":"2026-01-02T03:04:05.000Z"}}`, status: 201, verdict: bypassed},
		{method: "GET", path: `/classes/{class}?where={"n":1,"s":"x"}`, verdict: miss, contains: `"s":"x"`},
		{method: "GET", path: `/classes/{class}?where={"n":1,"s":"x"}`, verdict: kept, contains: `"s":"x"`},
		{method: "GET", path: `/classes/{class}?where={"s":"x","n":1}`, verdict: hit},
		{method: "GET", path: `/classes/{class}?where={ "s" : "x", "n" : 1.0 }`, verdict: hit},
		{method: "POST", path: "/classes/{class}", body: `{"_method":"GET","where":{"s":"x","n":1}}`, verdict: hit, contains: `"s":"x"`},
		{method: "GET", path: `/classes/{class}?where={"s":"x","n":1}&limit=5`, verdict: miss},
		{method: "GET", path: `/classes/{class}?where={"s":"x","n":2}`, verdict: miss, lacks: `"s":"x"`},
	}},
	{name: "an object by its id", steps: []step{
		{method: "POST", path: "/classes/{class}", body: `{"n":1}`, status: 201, keep: "id"},
		{method: "GET", path: "/classes/{class}/{id}", verdict: miss, contains: `"n":1`},
		{method: "GET", path: "/classes/{class}/{id}", verdict: kept, contains: `"n":1`},
		{method: "PUT", path: "/classes/{class}/{id}", body: `{"n":2}`, verdict: bypassed},
		{method: "GET", path: "/classes/{class}/{id}", verdict: miss, contains: `"n":2`},
		{method: "GET", path: "/classes/{class}/{id}", verdict: kept, contains: `"n":2`},
		{method: "DELETE", path: "/classes/{class}/{id}", verdict: bypassed},
		{method: "GET", path: "/classes/{class}/{id}", status: 404, verdict: miss},
		{method: "GET", path: "/classes/{class}/{id}", status: 404, verdict: kept, contains: `"code":101`},
	}},
	{name: "a write to one object leaves an unrelated query and an unrelated object alone", exact: true, steps: []step{
		{method: "POST", path: "/classes/{class}", body: `{"city":"Bern","n":1}`, status: 201, keep: "bern"},
		{method: "POST", path: "/classes/{class}", body: `{"city":"Oslo","n":1}`, status: 201, keep: "oslo"},
		{method: "GET", path: `/classes/{class}?where={"city":"Bern"}`, verdict: kept, contains: "Bern"},
		{method: "GET", path: `/classes/{class}?where={"city":"Oslo"}`, verdict: kept, contains: "Oslo"},
		{method: "GET", path: "/classes/{class}/{bern}", verdict: kept},
		{method: "PUT", path: "/classes/{class}/{oslo}", body: `{"n":2}`},
		{method: "GET", path: `/classes/{class}?where={"city":"Bern"}`, verdict: hit, contains: "Bern"},
		{method: "GET", path: "/classes/{class}/{bern}", verdict: hit},
		{method: "GET", path: `/classes/{class}?where={"city":"Oslo"}`, verdict: miss, contains: `"n":2`},
		{method: "POST", path: "/classes/{class}", body: `{"city":"Rome","n":1}`, status: 201},
		{method: "GET", path: `/classes/{class}?where={"city":"Bern"}`, verdict: hit},
		{method: "GET", path: `/classes/{class}?where={"city":"Oslo"}`, verdict: kept},
		{method: "PUT", path: "/classes/{class}/{oslo}", body: `{"city":"Bern"}`},
		{method: "GET", path: `/classes/{class}?where={"city":"Bern"}`, verdict: miss, contains: "{oslo}"},
		{method: "GET", path: `/classes/{class}?where={"city":"Oslo"}`, verdict: miss, lacks: "{oslo}"},
		{method: "GET", path: `/classes/{class}?where={"city":"Bern"}`, verdict: kept},
		{method: "DELETE", path: "/classes/{class}/{oslo}"},
		{method: "GET", path: `/classes/{class}?where={"city":"Bern"}`, verdict: miss, lacks: "{oslo}"},
	}},
	{name: "a write ends every stored answer of its class", steps: []step{
		{method: "POST", path: "/classes/{class}", body: `{"n":1}`, status: 201, keep: "id"},
		{method: "GET", path: `/classes/{class}?where={"n":1}`, contains: "{id}"},
		{method: "GET", path: `/classes/{class}?where={"n":1}`, verdict: kept, contains: "{id}"},
		{method: "GET", path: `/classes/{class}?count=1&limit=0`, verdict: kept, contains: `"count":1`},
		{method: "POST", path: "/classes/{class}", body: `{"n":1}`, status: 201, keep: "second"},
		{method: "GET", path: `/classes/{class}?where={"n":1}`, verdict: miss, contains: "{second}"},
		{method: "GET", path: `/classes/{class}?count=1&limit=0`, verdict: miss, contains: `"count":2`},
		{method: "GET", path: `/classes/{class}?where={"n":1}`, verdict: kept},
		{method: "POST", path: "/batch", body: `{"requests":[{"method":"DELETE","path":"/parse/classes/{class}/{id}"}]}`},
		{method: "GET", path: `/classes/{class}?where={"n":1}`, verdict: miss, lacks: "{id}"},
		{method: "GET", path: `/classes/{class}?where={"n":1}`, verdict: kept},
		{method: "POST", path: "/classes/{class}/{second}", body: `{"_method":"PUT","n":3}`},
		{method: "GET", path: `/classes/{class}?where={"n":1}`, verdict: miss, lacks: "{second}"},
	}},
	{name: "an included object", steps: []step{
		{method: "POST", path: "/classes/{class}Inner", body: `{"name":"old name"}`, status: 201, keep: "inner"},
		{method: "POST", path: "/classes/{class}", body: `{"to":{"__type":"Pointer","className":"{class}Inner","objectId":"{inner}"}}`, status: 201, keep: "outer"},
		{method: "GET", path: "/classes/{class}?include=to", verdict: miss, contains: "old name"},
		{method: "GET", path: "/classes/{class}?include=to", verdict: kept, contains: "old name"},
		{method: "PUT", path: "/classes/{class}Inner/{inner}", body: `{"name":"new name"}`},
		{method: "GET", path: "/classes/{class}?include=to", verdict: miss, contains: "new name", lacks: "old name"},
	}},
	{name: "whoever else asks gets no stored answer", steps: []step{
		{method: "POST", path: "/classes/{class}", as: "ann", body: `{"n":1,"ACL":{"{ann}":{"read":true,"write":true}}}`, status: 201, keep: "id"},
		{method: "GET", path: "/classes/{class}", as: "ann", verdict: kept, contains: "{id}"},
		{method: "GET", path: "/classes/{class}", as: "bob", verdict: miss, lacks: "{id}"},
		{method: "GET", path: "/classes/{class}", verdict: miss, lacks: "{id}"},
		{method: "GET", path: "/classes/{class}", verdict: kept, lacks: "{id}"},
		{method: "GET", path: "/classes/{class}", as: "master", verdict: bypassed, contains: "{id}"},
		{method: "GET", path: "/classes/{class}", as: "master", verdict: bypassed, contains: "{id}"},
		{method: "GET", path: "/classes/{class}", as: "wrong key", status: 403, lacks: "{id}"},
		{method: "GET", path: "/classes/{class}", as: "no key", status: 403, lacks: "{id}"},
		{method: "GET", path: "/classes/{class}", as: "wrong session", status: 400, contains: "209", lacks: "{id}"},
		{method: "GET", path: "/classes/{class}", as: "JavaScript key", lacks: "{id}"},
	}},
	{name: "a class that changes", exact: true, steps: []step{
		{method: "POST", path: "/classes/{class}", body: `{"n":1,"gone":"old","of":"x"}`, status: 201, keep: "id"},
		{method: "GET", path: `/classes/{class}?where={"of":"x"}`, verdict: kept, contains: `"gone":"old"`},
		{method: "PUT", path: "/schemas/{class}", as: "master", body: `{"className":"{class}","fields":{"gone":{"__op":"Delete"}}}`},
		{method: "GET", path: `/classes/{class}?where={"of":"x"}`, verdict: miss, lacks: "gone"},
		{method: "GET", path: `/classes/{class}?where={"of":"x"}`, verdict: kept, contains: "{id}"},
		{method: "GET", path: "/classes/{class}/{id}", verdict: kept},
		{method: "PUT", path: "/schemas/{class}", as: "master", body: `{"className":"{class}","classLevelPermissions":{"find":{},"get":{"*":true},"protectedFields":{"*":["n"]}}}`},
		{method: "GET", path: `/classes/{class}?where={"of":"x"}`, status: 400, contains: "119", lacks: "{id}"},
		{method: "GET", path: "/classes/{class}/{id}", verdict: miss, lacks: `"n"`, contains: `"of"`},
		{method: "PUT", path: "/schemas/{class}", as: "master", body: `{"className":"{class}","classLevelPermissions":{"find":{"*":true},"get":{"*":true},"count":{"*":true}}}`},
		{method: "GET", path: `/classes/{class}?where={"of":"x"}`, verdict: kept, contains: `"n":1`},
		{method: "GET", path: "/classes/{class}?count=1&limit=0", verdict: kept, contains: `"count":1`},
	}},
	{name: "a class that is emptied, dropped and made again", exact: true, steps: []step{
		{method: "POST", path: "/classes/{class}Inner", body: `{"name":"inside"}`, status: 201, keep: "inner"},
		{method: "POST", path: "/classes/{class}", body: `{"to":{"__type":"Pointer","className":"{class}Inner","objectId":"{inner}"}}`, status: 201, keep: "id"},
		{method: "GET", path: "/classes/{class}?include=to", verdict: kept, contains: "inside"},
		{method: "GET", path: "/classes/{class}Inner?count=1", verdict: kept, contains: `"count":1`},
		{method: "DELETE", path: "/purge/{class}Inner", as: "master"},
		{method: "GET", path: "/classes/{class}?include=to", verdict: miss, lacks: "inside"},
		{method: "GET", path: "/classes/{class}Inner?count=1", verdict: miss, contains: `"count":0`},
		{method: "GET", path: "/classes/{class}Inner?count=1", verdict: kept},
		{method: "DELETE", path: "/schemas/{class}Inner", as: "master"},
		{method: "POST", path: "/classes/{class}Inner", body: `{"name":"again"}`, status: 201},
		{method: "GET", path: "/classes/{class}Inner?count=1", verdict: miss, contains: `"again"`},
	}},
	{name: "what the client says of caching", steps: []step{
		{method: "POST", path: "/classes/{class}", body: `{"n":1}`, status: 201},
		{method: "GET", path: "/classes/{class}", verdict: kept},
		{method: "GET", path: "/classes/{class}", as: "no-cache", verdict: asked},
		{method: "GET", path: "/classes/{class}", verdict: hit},
		{method: "GET", path: "/classes/{class}", as: "no-store", verdict: bypassed},
	}},
	{name: "what is never stored", steps: []step{
		{method: "GET", path: "/health", verdict: bypassed},
		{method: "GET", path: "/health", verdict: bypassed},
		{method: "GET", path: "/serverInfo", as: "master", verdict: bypassed},
		{method: "GET", path: "/users/me", as: "ann", lacks: "password"},
		{method: "POST", path: "/login", body: `{"username":"ann","password":"secret"}`, verdict: bypassed, contains: "r:"},
		{method: "POST", path: "/login", body: `{"username":"ann","password":"wrong"}`, status: 404, verdict: bypassed},
		{method: "GET", path: `/classes/{class}?where={"n":{"$foo":1}}`, status: 400},
		{method: "GET", path: `/classes/{class}?where={"n":{"$foo":1}}`, status: 400},
	}},
}

// TestCacheThroughGateway runs the scenarios through both kinds of pool.
func TestCacheThroughGateway(t *testing.T) {
	t.Run("bundled", func(t *testing.T) { runScenarios(t, startGateway(t, bundledApp("", "")), true) })
	t.Run("node", func(t *testing.T) {
		testservices.Need(t, "Node with the npm package parse-server, and postgresql with postgis")
		servers := startParseServers(t, 2, nil)
		runScenarios(t, startGateway(t, remoteApp(servers[0].Address, servers[1].Address)), false)
	})
}

func runScenarios(t *testing.T, g *gateway, exact bool) {
	app := newClient(t, g.url())
	clients := map[string]*client{
		"":               app,
		"master":         app.with("X-Parse-Master-Key", masterKey),
		"wrong key":      app.with("X-Parse-REST-API-Key", "wrong"),
		"no key":         app.with("X-Parse-REST-API-Key", ""),
		"wrong session":  app.with("X-Parse-Session-Token", "r:00000000000000000000000000000000"),
		"JavaScript key": app.with("X-Parse-REST-API-Key", "", "X-Parse-Javascript-Key", jsKey),
		"no-cache":       app.with("Cache-Control", "no-cache"),
		"no-store":       app.with("Cache-Control", "no-store"),
	}
	users := map[string]string{}
	for _, name := range []string{"ann", "bob"} {
		var made struct{ ObjectID, SessionToken string }
		app.must(t, "POST", "/users", fmt.Sprintf(`{"username":%q,"password":"secret"}`, name), &made)
		clients[name] = app.with("X-Parse-Session-Token", made.SessionToken)
		users[name] = made.ObjectID
	}
	for i, scenario := range scenarios {
		if scenario.exact && !exact {
			continue
		}
		t.Run(scenario.name, func(t *testing.T) {
			names := map[string]string{"class": fmt.Sprintf("Scenario%d", i), "ann": users["ann"], "bob": users["bob"]}
			for n, s := range scenario.steps {
				runStep(t, n+1, s, clients[s.as], names)
			}
		})
	}
	t.Run("an answer that the client has already", func(t *testing.T) { conditional(t, app) })
}

// runStep sends one request of a scenario and checks its answer.
func runStep(t *testing.T, number int, s step, c *client, names map[string]string) {
	t.Helper()
	fill := func(text string) string {
		for name, value := range names {
			text = strings.ReplaceAll(text, "{"+name+"}", value)
		}
		return text
	}
	path, query, _ := strings.Cut(fill(s.path), "?")
	if query != "" {
		query = "?" + strings.NewReplacer(" ", "%20", `"`, "%22", "{", "%7B", "}", "%7D").Replace(query)
	}
	title := fmt.Sprintf("step %d: %s %s as %q", number, s.method, fill(s.path), s.as)
	if s.verdict == kept {
		c.stored(t, path+query)
		s.verdict = hit
	}
	a, err := c.do(s.method, path+query, fill(s.body))
	if err != nil {
		t.Fatalf("%s: %v", title, err)
	}
	want := s.status
	if want == 0 {
		want = http.StatusOK
	}
	if a.status != want {
		t.Errorf("%s: status %d, want %d: %s", title, a.status, want, a.body)
	}
	if s.verdict != "" && a.verdict() != s.verdict {
		t.Errorf("%s: Cache-Status %q, want a %s", title, a.header.Get("Cache-Status"), s.verdict)
	}
	if part := fill(s.contains); !strings.Contains(a.body, part) {
		t.Errorf("%s: the answer lacks %q: %s", title, part, a.body)
	}
	if part := fill(s.lacks); part != "" && strings.Contains(a.body, part) {
		t.Errorf("%s: the answer has %q: %s", title, part, a.body)
	}
	if s.keep != "" {
		_, rest, _ := strings.Cut(a.body, `"objectId":"`)
		names[s.keep], _, _ = strings.Cut(rest, `"`)
		if names[s.keep] == "" {
			t.Fatalf("%s: no objectId in %s", title, a.body)
		}
	}
}

// conditional checks that a stored answer has the worker's own header fields, and that a client that has it already
// doesn't get it again.
func conditional(t *testing.T, c *client) {
	c.create(t, "Conditional", `{"n":1}`)
	first := c.must(t, "GET", "/classes/Conditional", "", nil)
	second := c.stored(t, "/classes/Conditional")
	if first.verdict() != miss || first.body != second.body {
		t.Fatalf("%s %s and %s %s; want the same answer, stored", first.verdict(), first.body, second.verdict(), second.body)
	}
	for _, name := range []string{"Content-Type", "Etag", "Access-Control-Allow-Origin", "Access-Control-Expose-Headers"} {
		if a, b := first.header.Get(name), second.header.Get(name); a != b || a == "" {
			t.Errorf("%s is %q at first and %q from the cache", name, a, b)
		}
	}
	a, err := c.with("If-None-Match", first.header.Get("Etag")).do("GET", "/classes/Conditional", "")
	if err != nil || a.status != http.StatusNotModified || a.body != "" {
		t.Errorf("status %d, %v, body %q; want 304 without one", a.status, err, a.body)
	}
}
