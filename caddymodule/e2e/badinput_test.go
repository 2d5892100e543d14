package e2e

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/parsescale/parsescale/server/testservices"
)

// badInput is requests that no server may accept. Where code is 0 any Parse error with a 4xx status will do, be it for
// want of a recorded answer, or because Parse Server answers 500 (differs), which is not copied.
var badInput = []struct {
	name, method, path, body string
	status, code             int
	differs                  bool
}{
	{name: "malformed JSON", method: "POST", path: "/classes/Bad", body: `{"a":`, status: 400},
	{name: "JSON with a tail", method: "POST", path: "/classes/Bad", body: `{"a":1}}`, status: 400},
	{name: "no JSON at all", method: "POST", path: "/classes/Bad", body: "hello", status: 400},
	{name: "an invalid field name", method: "POST", path: "/classes/Bad", body: `{"1a":1}`, status: 400, code: 105},
	{name: "an internal field", method: "POST", path: "/classes/Bad", body: `{"_x":1}`, status: 400, code: 105},
	{name: "a field called length", method: "POST", path: "/classes/Bad", body: `{"length":1}`, status: 400, code: 105},
	{name: "an objectId of the client's", method: "POST", path: "/classes/Bad", body: `{"objectId":"abc"}`, status: 400, code: 105},
	{name: "a nested key with a dot", method: "POST", path: "/classes/Bad", body: `{"o":{"a.b":1}}`, status: 400, code: 121},
	{name: "a nested key with a dollar", method: "POST", path: "/classes/Bad", body: `{"o":{"$a":1}}`, status: 400, code: 121},
	{name: "a prohibited keyword", method: "POST", path: "/classes/Bad", body: `{"o":{"constructor":1}}`, status: 400, code: 105},
	{name: "an unknown type", method: "POST", path: "/classes/Bad", body: `{"x":{"__type":"Foo"}}`, status: 400, code: 111},
	{name: "an unknown operation", method: "POST", path: "/classes/Bad", body: `{"x":{"__op":"Foo"}}`, differs: true},
	{name: "an increment by text", method: "POST", path: "/classes/Bad", body: `{"y":{"__op":"Increment","amount":"a"}}`, status: 400, code: 107},
	{name: "a value of the wrong type", method: "POST", path: "/classes/Good", body: `{"n":"text"}`, status: 400, code: 111},
	{name: "a class name with a digit first", method: "POST", path: "/classes/1bad", body: `{"a":1}`, status: 400, code: 107},
	{name: "a class name with a dash", method: "POST", path: "/classes/a-b", body: `{"a":1}`, status: 400, code: 107},
	{name: "a class name with SQL in it", method: "POST", path: "/classes/" + url.PathEscape(`a";DROP TABLE "Good`), body: `{"a":1}`, status: 400, code: 107},
	{name: "an absurdly long class name", method: "POST", path: "/classes/" + strings.Repeat("a", 5000), body: `{"a":1}`, differs: true},
	{name: "an absurdly deep value", method: "POST", path: "/classes/Bad", body: `{"a":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + `}`, differs: true},
	{name: "a where that is no JSON", method: "GET", path: "/classes/Good?where=notjson", status: 400, code: 107},
	{name: "a where that is an array", method: "GET", path: where("Good", `[1]`), differs: true},
	{name: "a where that is a number", method: "GET", path: where("Good", `5`), differs: true},
	{name: "an unknown operator", method: "GET", path: where("Good", `{"s":{"$foo":1}}`), status: 400, code: 119},
	{name: "a $regex that is no text", method: "GET", path: where("Good", `{"s":{"$regex":5}}`), status: 400, code: 102},
	{name: "a $regex that is none", method: "GET", path: where("Good", `{"s":{"$regex":"["}}`), differs: true},
	{name: "a $in without a list", method: "GET", path: where("Good", `{"n":{"$in":5}}`), status: 400, code: 107},
	{name: "an $or without a list", method: "GET", path: where("Good", `{"$or":{"n":0}}`), status: 400, code: 102},
	{name: "a $inQuery without a where", method: "GET", path: where("Good", `{"p":{"$inQuery":{"className":"Good"}}}`), status: 400, code: 102},
	{name: "a key with a blank", method: "GET", path: where("Good", `{"a b":1}`), status: 400, code: 105},
	{name: "a password hash as key", method: "GET", path: where("_User", `{"_hashed_password":"x"}`), status: 400, code: 105},
	{name: "an absurdly deep where", method: "POST", path: "/classes/Good", body: `{"_method":"GET","where":` + strings.Repeat(`{"$or":[`, 20_000) + `{"n":1}` + strings.Repeat(`]}`, 20_000) + `}`, differs: true},
	{name: "an unknown parameter", method: "GET", path: "/classes/Good?foo=1", status: 400, code: 102},
	{name: "a negative limit", method: "GET", path: "/classes/Good?limit=-1", differs: true},
	{name: "an order by an invalid name", method: "GET", path: "/classes/Good?order=a%20b", status: 400, code: 105},
	{name: "an object that isn't there", method: "GET", path: "/classes/Good/nosuchobj1", status: 404, code: 101},
	{name: "an update of what isn't there", method: "PUT", path: "/classes/Good/nosuchobj1", body: `{"n":1}`, status: 404, code: 101},
	{name: "a delete of what isn't there", method: "DELETE", path: "/classes/Good/nosuchobj1", status: 404, code: 101},
	{name: "a batch that is no list", method: "POST", path: "/batch", body: `{"requests":1}`, status: 400, code: 107},
	{name: "a batch path outside the mount", method: "POST", path: "/batch", body: `{"requests":[{"method":"POST","path":"/x/classes/A","body":{}}]}`, status: 400, code: 107},
	{name: "a batch in a batch", method: "POST", path: "/batch", body: `{"requests":[{"method":"POST","path":"/parse/batch","body":{"requests":[]}}]}`, status: 400, code: 107},
	{name: "a sign-up without a password", method: "POST", path: "/users", body: `{"username":"bob"}`, status: 400, code: 201},
	{name: "a sign-up without a name", method: "POST", path: "/users", body: `{"password":"x"}`, status: 400, code: 200},
	{name: "a password that is a number", method: "POST", path: "/users", body: `{"username":"bob","password":5}`, status: 400, code: 201},
	{name: "a log-in with a query for a password", method: "POST", path: "/login", body: `{"username":"bob","password":{"$regex":"."}}`, status: 404, code: 101},
}

// TestBadInput sends what no server may accept: each gets a clear error, nothing is stored, and the server goes on.
func TestBadInput(t *testing.T) {
	t.Run("bundled", func(t *testing.T) {
		g := startGateway(t, bundledApp("", "max_body 1MB"))
		workers := g.workers()
		c := newClient(t, g.url())
		sendBadInput(t, c, false)
		t.Run("a body over the limit", func(t *testing.T) {
			a, err := c.do("POST", "/classes/Bad", `{"a":"`+strings.Repeat("x", 1<<20)+`"}`)
			if err != nil || a.status != http.StatusRequestEntityTooLarge {
				t.Errorf("status %d, %v; want 413: %s", a.status, err, a.body)
			}
		})
		nothingStored(t, c)
		if now := g.workers(); len(workers) != 2 || !slices.Equal(now, workers) {
			t.Errorf("the workers were %v and are %v: one of them died", workers, now)
		}
	})
	t.Run("alone", func(t *testing.T) { // proves that the table says what Parse Server does
		testservices.Need(t, "Node with the npm package parse-server, and postgresql with postgis")
		servers := startParseServers(t, 1, nil)
		c := newClient(t, servers[0].URL())
		c.http.Transport.(*http.Transport).DisableKeepAlives = true // Node closes the connection on bad JSON without saying so
		sendBadInput(t, c, true)
	})
}

func sendBadInput(t *testing.T, c *client, parseServer bool) {
	c.create(t, "Good", `{"n":1,"s":"text"}`)
	for _, b := range badInput {
		if b.differs && parseServer {
			continue
		}
		t.Run(b.name, func(t *testing.T) {
			a, err := c.do(b.method, b.path, b.body)
			if err != nil {
				t.Fatal(err)
			}
			var e struct {
				Code  int
				Error string
			}
			if err := json.Unmarshal([]byte(a.body), &e); err != nil || e.Error == "" {
				t.Errorf("status %d: no Parse error: %q", a.status, a.body)
			}
			if a.status/100 != 4 || b.status != 0 && a.status != b.status || b.code != 0 && e.Code != b.code {
				t.Errorf("status %d, body %s; want %d, code %d", a.status, a.body, b.status, b.code)
			}
		})
	}
}

// nothingStored checks that no refused write left anything behind, and that the good object is as it was.
func nothingStored(t *testing.T, c *client) {
	t.Helper()
	var bad struct{ Results []any }
	c.must(t, "GET", "/classes/Bad", "", &bad)
	if len(bad.Results) != 0 {
		t.Errorf("refused writes left %v", bad.Results)
	}
	var good struct {
		Results []struct {
			N int
			S string
		}
	}
	c.must(t, "GET", "/classes/Good", "", &good)
	if len(good.Results) != 1 || good.Results[0].N != 1 || good.Results[0].S != "text" {
		t.Errorf("the good object is %v", good.Results)
	}
}
