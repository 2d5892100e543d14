package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/parsescale/parsescale/server/testservices"
)

// TestSharedDatabase runs Parse Server and a worker on one PostgreSQL database at the same time: what either of them
// writes the other reads, changes, logs in with and queries.
func TestSharedDatabase(t *testing.T) {
	testservices.Need(t, "Node with the npm package parse-server, and postgresql with postgis")
	uri := testservices.StartPostgreSQL(t).URI
	options := map[string]any{"databaseURI": uri, "databaseOptions": map[string]any{"enableSchemaHooks": true}}
	node := newClient(t, startParseServers(t, 1, options)[0].URL())
	node.http.Transport.(*http.Transport).DisableKeepAlives = true
	worker := startWorker(t, map[string]any{"databaseURI": uri})
	for _, way := range []struct {
		name     string
		from, to *client
	}{{"Node writes", node, worker}, {"Go writes", worker, node}} {
		t.Run(way.name, func(t *testing.T) {
			s := shared{from: way.from, to: way.to, class: "Shared" + way.name[:2]}
			t.Run("objects", s.objects)
			t.Run("users and sessions", s.users)
			t.Run("roles and permissions", s.roles)
			t.Run("relations", s.relations)
			t.Run("schema", s.schema)
		})
	}
}

type shared struct {
	from, to *client
	class    string
}

// ask sends a request and returns the decoded answer, which must have the status.
func ask(t *testing.T, c *client, method, path, body string, status int) map[string]any {
	t.Helper()
	a, err := c.do(method, path, body)
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]any
	if a.status != status || json.Unmarshal([]byte(a.body), &out) != nil {
		t.Fatalf("%s %s %s: %d %s, want %d", method, path, body, a.status, a.body, status)
	}
	return out
}

func master(c *client) *client { return c.with("X-Parse-Master-Key", masterKey) }

func as(c *client, token any) *client { return c.with("X-Parse-Session-Token", fmt.Sprint(token)) }

// found is how many objects a where finds.
func found(t *testing.T, c *client, class, where string) int {
	t.Helper()
	out := ask(t, c, "GET", "/classes/"+class+"?where="+url.QueryEscape(where), "", 200)
	return len(out["results"].([]any))
}

// everyType has a field of every type, and the same conditions find it wherever it is asked for.
const everyType = `{"s":"é \"x\"","n":1.5,"b":true,"d":{"__type":"Date","iso":"2020-01-02T03:04:05.678Z"},"a":[1,"x",{"k":[null]},{"__type":"Pointer","className":"Other","objectId":"xyz"}],
	"o":{"k":{"l":"v"},"n":2,"at":{"__type":"Date","iso":"2020-01-01T00:00:00.000Z"}},
	"p":{"__type":"Pointer","className":"Other","objectId":"xyz"},"f":{"__type":"File","name":"a.txt","url":"http://x/a.txt"},
	"g":{"__type":"GeoPoint","latitude":40.5,"longitude":-30},"y":{"__type":"Bytes","base64":"aGVsbG8="},
	"pol":{"__type":"Polygon","coordinates":[[0,0],[0,1],[1,1],[1,0]]}}`

func (s shared) objects(t *testing.T) {
	id := fmt.Sprint(ask(t, s.from, "POST", "/classes/"+s.class, everyType, 201)["objectId"])
	path := "/classes/" + s.class + "/" + id
	one, other := ask(t, s.from, "GET", path, "", 200), ask(t, s.to, "GET", path, "", 200)
	delete(one, "f") // its URL is that of the server that is asked
	delete(other, "f")
	if a, b := encode(one), encode(other); a != b {
		t.Errorf("they read\n%s and\n%s", a, b)
	}
	for _, where := range []string{`{"s":"é \"x\""}`, `{"n":{"$gt":1}}`, `{"b":true}`, `{"d":{"$lt":{"__type":"Date","iso":"2021-01-01T00:00:00.000Z"}}}`, `{"a":{"$all":["x"]}}`,
		`{"a":{"$in":["x"]}}`, `{"s":{"$regex":"^é"}}`,
		`{"o.k.l":"v"}`, `{"p":{"__type":"Pointer","className":"Other","objectId":"xyz"}}`,
		`{"g":{"$nearSphere":{"__type":"GeoPoint","latitude":40,"longitude":-30},"$maxDistanceInKilometers":100}}`,
		`{"pol":{"$geoIntersects":{"$point":{"__type":"GeoPoint","latitude":0.5,"longitude":0.5}}}}`} {
		if n := found(t, s.to, s.class, where); n != 1 {
			t.Errorf("%s finds %d", where, n)
		}
	}
	ask(t, s.to, "PUT", path, `{"n":{"__op":"Increment","amount":1},"a":{"__op":"AddUnique","objects":["y","x"]},"o.k.l":"w","o.more":7,"s":{"__op":"Delete"},"fresh":{"x":1}}`, 200)
	one, other = ask(t, s.from, "GET", path, "", 200), ask(t, s.to, "GET", path, "", 200)
	if one["n"] != 2.5 || one["s"] != nil || encode(one["fresh"]) != `{"x":1}` || encode(one["o"]) != encode(other["o"]) || encode(one["a"]) != encode(other["a"]) || len(one["a"].([]any)) != 5 {
		t.Errorf("after the other's update it is %s", encode(one))
	}
	if n := found(t, s.from, s.class, `{"o.more":{"$gte":7}}`); n != 1 {
		t.Errorf("what the other has put into an object finds %d", n)
	}
	ask(t, s.from, "PUT", path, `{"fresh.x":2}`, 200)
	if got := ask(t, s.to, "GET", path, "", 200); encode(got["fresh"]) != `{"x":2}` {
		t.Errorf("after its own update the other reads %s", encode(got))
	}
	ask(t, s.to, "DELETE", path, "", 200)
	ask(t, s.from, "GET", path, "", 404)
}

func (s shared) users(t *testing.T) {
	name := "user" + s.class
	up := ask(t, s.from, "POST", "/users", fmt.Sprintf(`{"username":%q,"password":"p&ss wörd","email":"%s@example.com"}`, name, name), 201)
	in := ask(t, s.to, "POST", "/login", fmt.Sprintf(`{"username":%q,"password":"p&ss wörd"}`, name), 200)
	ask(t, s.to, "POST", "/login", fmt.Sprintf(`{"username":%q,"password":"wrong"}`, name), 404)
	if me := ask(t, as(s.to, up["sessionToken"]), "GET", "/users/me", "", 200); me["username"] != name {
		t.Errorf("with the first session it is %v", me)
	}
	if me := ask(t, as(s.from, in["sessionToken"]), "GET", "/users/me", "", 200); me["username"] != name {
		t.Errorf("with the second session it is %v", me)
	}
	ask(t, s.to, "POST", "/users", fmt.Sprintf(`{"username":%q,"password":"x"}`, strings.ToUpper(name)), 400)
	changed := ask(t, as(s.to, in["sessionToken"]), "PUT", fmt.Sprintf("/users/%v", up["objectId"]), `{"password":"new"}`, 200)
	ask(t, as(s.from, up["sessionToken"]), "GET", "/users/me", "", 400)
	ask(t, as(s.from, changed["sessionToken"]), "GET", "/users/me", "", 200)
	again := ask(t, s.from, "POST", "/login", fmt.Sprintf(`{"username":%q,"password":"new"}`, name), 200)
	ask(t, as(s.to, again["sessionToken"]), "POST", "/logout", "{}", 200)
	ask(t, as(s.from, again["sessionToken"]), "GET", "/users/me", "", 400)
	anonymous := fmt.Sprintf(`{"authData":{"anonymous":{"id":"anon-%s"}}}`, s.class)
	first := ask(t, s.from, "POST", "/users", anonymous, 201)
	if second := ask(t, s.to, "POST", "/users", anonymous, 200); second["objectId"] != first["objectId"] {
		t.Errorf("one anonymous id is two users: %v, %v", first, second)
	}
}

func (s shared) roles(t *testing.T) {
	name := "member" + s.class
	up := ask(t, s.from, "POST", "/users", fmt.Sprintf(`{"username":%q,"password":"x"}`, name), 201)
	role := "Role" + s.class
	made := ask(t, master(s.from), "POST", "/roles", fmt.Sprintf(`{"name":%q,"ACL":{"*":{"read":true}},"users":{"__op":"AddRelation","objects":[{"__type":"Pointer","className":"_User","objectId":"%v"}]}}`, role, up["objectId"]), 201)
	ask(t, master(s.from), "POST", "/roles", fmt.Sprintf(`{"name":"Above%s","ACL":{},"roles":{"__op":"AddRelation","objects":[{"__type":"Pointer","className":"_Role","objectId":"%v"}]}}`, role, made["objectId"]), 201)
	ask(t, master(s.to), "POST", "/roles", fmt.Sprintf(`{"name":%q,"ACL":{}}`, role), 400)
	class := s.class + "Secret"
	private := ask(t, s.from, "POST", "/classes/"+class, fmt.Sprintf(`{"v":1,"ACL":{"role:%s":{"read":true}}}`, role), 201)
	ask(t, s.from, "POST", "/classes/"+class, fmt.Sprintf(`{"v":2,"ACL":{"role:Above%s":{"read":true,"write":true}}}`, role), 201)
	if n := found(t, s.to, class, `{}`); n != 0 {
		t.Errorf("the public sees %d", n)
	}
	if n := found(t, as(s.to, up["sessionToken"]), class, `{}`); n != 2 {
		t.Errorf("a member sees %d", n)
	}
	ask(t, as(s.to, up["sessionToken"]), "PUT", fmt.Sprintf("/classes/%s/%v", class, private["objectId"]), `{"v":3}`, 404)
	ask(t, master(s.to), "PUT", fmt.Sprintf("/roles/%v", made["objectId"]), fmt.Sprintf(`{"users":{"__op":"RemoveRelation","objects":[{"__type":"Pointer","className":"_User","objectId":"%v"}]}}`, up["objectId"]), 200)
	if n := found(t, as(s.from, up["sessionToken"]), class, `{}`); n != 0 {
		t.Errorf("who is no member any more sees %d", n)
	}
}

func (s shared) relations(t *testing.T) {
	class := s.class + "Likes"
	member := ask(t, s.from, "POST", "/classes/"+class, `{"k":"member"}`, 201)["objectId"]
	owner := ask(t, s.from, "POST", "/classes/"+class, fmt.Sprintf(`{"k":"owner","likes":{"__op":"AddRelation","objects":[{"__type":"Pointer","className":%q,"objectId":"%v"}]}}`, class, member), 201)["objectId"]
	related := fmt.Sprintf(`{"$relatedTo":{"object":{"__type":"Pointer","className":%q,"objectId":"%v"},"key":"likes"}}`, class, owner)
	if n := found(t, s.to, class, related); n != 1 {
		t.Errorf("%d members", n)
	}
	ask(t, s.to, "PUT", fmt.Sprintf("/classes/%s/%v", class, owner), fmt.Sprintf(`{"likes":{"__op":"AddRelation","objects":[{"__type":"Pointer","className":%q,"objectId":"%v"}]}}`, class, owner), 200)
	if n := found(t, s.from, class, related); n != 2 {
		t.Errorf("%d members", n)
	}
	if n := found(t, s.to, class, fmt.Sprintf(`{"likes":{"__type":"Pointer","className":%q,"objectId":"%v"}}`, class, member)); n != 1 {
		t.Errorf("%d owners", n)
	}
}

// schema changes classes through one server while the other one knows them already.
func (s shared) schema(t *testing.T) {
	class := s.class + "Schema"
	path := "/schemas/" + class
	ask(t, master(s.from), "POST", path, `{"fields":{"a":{"type":"String"},"u":{"type":"Pointer","targetClass":"_User"}}}`, 200)
	id := ask(t, s.to, "POST", "/classes/"+class, `{"a":"x"}`, 201)["objectId"]
	ask(t, master(s.from), "PUT", path, `{"fields":{"b":{"type":"Number","defaultValue":7}},"indexes":{"byA":{"a":1}}}`, 200)
	await(t, "the new field", func() bool {
		return strings.Contains(encode(ask(t, master(s.to), "GET", path, "", 200)), `"defaultValue":7`)
	})
	await(t, "its default", func() bool { return ask(t, s.to, "POST", "/classes/"+class, `{"a":"y"}`, 201)["b"] == 7.0 })
	ask(t, s.to, "POST", "/classes/"+class, `{"b":"no number"}`, 400)
	ask(t, master(s.to), "PUT", path, `{"classLevelPermissions":{"find":{"requiresAuthentication":true},"get":{"*":true},"create":{"*":true},"update":{"*":true}}}`, 200)
	await(t, "the permissions", func() bool {
		a, err := s.from.do("GET", "/classes/"+class, "")
		return err == nil && a.status == http.StatusNotFound
	})
	ask(t, s.from, "GET", fmt.Sprintf("/classes/%s/%v", class, id), "", 200)
	ask(t, master(s.to), "PUT", path, `{"fields":{"b":{"__op":"Delete"}}}`, 200)
	await(t, "the field to go", func() bool {
		a, err := master(s.from).do("GET", path, "")
		return err == nil && !strings.Contains(a.body, `"b":`)
	})
	ask(t, master(s.from), "DELETE", "/purge/"+class, "", 200)
	ask(t, master(s.to), "DELETE", path, "", 200)
}

// await waits until something is so. Parse Server learns of others' schema changes a moment later, by a notice.
func await(t *testing.T, what string, so func() bool) {
	t.Helper()
	for start := time.Now(); time.Since(start) < 10*time.Second; time.Sleep(50 * time.Millisecond) {
		if so() {
			return
		}
	}
	t.Fatalf("waited in vain for %s", what)
}
