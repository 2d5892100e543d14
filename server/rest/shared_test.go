package rest_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/parsescale/parsescale/server"
	"github.com/parsescale/parsescale/server/config"
	"github.com/parsescale/parsescale/server/testservices"
)

// sharer is one of the two servers on one database.
type sharer struct {
	t    *testing.T
	name string
	url  string
}

// do sends a request, checks its status and returns its body.
func (s sharer) do(status int, method, path, body, token string) map[string]any {
	s.t.Helper()
	req, err := http.NewRequest(method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("X-Parse-Application-Id", "APP")
	req.Header.Set("Content-Type", "application/json")
	if token == "master" {
		req.Header.Set("X-Parse-Master-Key", "MASTER")
	} else if token != "" {
		req.Header.Set("X-Parse-Session-Token", token)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	if res.StatusCode != status {
		s.t.Fatalf("%s: %s %s: %d %s, want %d", s.name, method, path, res.StatusCode, text, status)
	}
	var out map[string]any
	if err := json.Unmarshal(text, &out); err != nil {
		s.t.Fatalf("%s: %s %s: %s", s.name, method, path, text)
	}
	return out
}

var fileHost = regexp.MustCompile(`http://[^/]*/parse/files/`)

// shown is a body as text, without what rightly differs.
func shown(v any) string {
	text, _ := json.Marshal(v) // it was decoded a moment ago
	return fileHost.ReplaceAllString(string(text), "")
}

// TestSharedDatabase: on one database, at the same time, parse-server and this worker read, change, query and log in with
// what the other one has written.
func TestSharedDatabase(t *testing.T) {
	_, uri := testservices.SharedDatabase(t)
	node := testservices.StartParseServers(t, testservices.ParseServers{Folder: "../../caddymodule/e2e", Count: 1, Options: map[string]any{
		"appId": "APP", "masterKey": "MASTER", "databaseURI": uri, "allowClientClassCreation": true, "databaseOptions": map[string]any{"enableSchemaHooks": true},
	}})[0]
	w := start(t, server.Environment{}, func(o *config.Options) { o.DatabaseURI = config.Secret(uri) })
	theirs, ours := sharer{t, "parse-server", node.URL()}, sharer{t, "worker", w.base}
	for _, pair := range []struct{ a, b sharer }{{theirs, ours}, {ours, theirs}} {
		a, b := pair.a, pair.b
		class := map[string]string{"parse-server": "Theirs", "worker": "Ours"}[a.name]
		lower := strings.ToLower(class)
		t.Run(class, func(t *testing.T) {
			a.t, b.t = t, t
			user := a.do(201, "POST", "/users", `{"username":"`+lower+`","password":"secret","email":"`+lower+`@example.com"}`, "")
			id, session := user["objectId"].(string), user["sessionToken"].(string)
			if me := b.do(200, "GET", "/users/me", "", session); me["username"] != lower {
				t.Errorf("me: %v", me)
			}
			logged := b.do(200, "GET", "/login?username="+lower+"&password=secret", "", "")
			b.do(400, "POST", "/users", `{"username":"`+lower+`","password":"x"}`, "")
			b.do(400, "POST", "/users", `{"username":"`+strings.ToUpper(lower)+`","password":"x"}`, "")
			b.do(200, "PUT", "/users/"+id, `{"password":"other"}`, logged["sessionToken"].(string))
			token := a.do(200, "GET", "/login?username="+lower+"&password=other", "", "")["sessionToken"].(string)

			body := `{"s":"a\"é","n":1.5,"b":true,"d":{"__type":"Date","iso":"2020-01-02T03:04:05.678Z"},"o":{"k":{"x":[1,null]},"when":{"__type":"Date","iso":"2020-01-01T00:00:00.000Z"}},
				"a":[1,"x",{"__type":"Pointer","className":"_User","objectId":"` + id + `"}],"p":{"__type":"Pointer","className":"_User","objectId":"` + id + `"},
				"f":{"__type":"File","name":"a.txt"},"g":{"__type":"GeoPoint","latitude":10,"longitude":-20.5},"y":{"__type":"Polygon","coordinates":[[0,0],[0,1],[1,1]]},
				"by":{"__type":"Bytes","base64":"aGk="},"ACL":{"` + id + `":{"read":true,"write":true},"role:` + class + `":{"read":true}}}`
			made := a.do(201, "POST", "/classes/"+class, body, token)["objectId"].(string)
			path := "/classes/" + class + "/" + made
			if x, y := shown(a.do(200, "GET", path, "", token)), shown(b.do(200, "GET", path, "", token)); x != y {
				t.Errorf("one object, two answers:\n%s: %s\n%s: %s", a.name, x, b.name, y)
			}
			b.do(404, "GET", path, "", "")
			b.do(200, "PUT", path, `{"n":{"__op":"Increment","amount":2},"a":{"__op":"AddUnique","objects":["y"]},"o.k2":7,"fans":{"__op":"AddRelation","objects":[{"__type":"Pointer","className":"_User","objectId":"`+id+`"}]}}`, token)
			// parse-server learns of the new field by the message.
			for until := time.Now().Add(5 * time.Second); ; time.Sleep(50 * time.Millisecond) {
				o := a.do(200, "GET", path, "", token)
				if o["n"] == 3.5 && o["fans"] != nil || time.Now().After(until) {
					if o["n"] != 3.5 || len(o["a"].([]any)) != 4 || o["o"].(map[string]any)["k2"] != 7.0 || o["fans"] == nil {
						t.Errorf("after the update: %v", o)
					}
					break
				}
			}
			for _, where := range []string{`{"s":{"$regex":"^a"}}`, `{"n":{"$gt":3}}`, `{"a":{"$in":["y"]}}`, `{"p":{"__type":"Pointer","className":"_User","objectId":"` + id + `"}}`,
				`{"o.k2":{"$gte":7}}`, `{"g":{"$nearSphere":{"__type":"GeoPoint","latitude":10,"longitude":-20},"$maxDistanceInKilometers":100}}`,
				`{"fans":{"__type":"Pointer","className":"_User","objectId":"` + id + `"}}`, `{"d":{"$lt":{"__type":"Date","iso":"2021-01-01T00:00:00.000Z"}}}`} {
				query := "/classes/" + class + "?where=" + url.QueryEscape(where)
				if n := len(b.do(200, "GET", query, "", token)["results"].([]any)); n != 1 {
					t.Errorf("%s: %s: %d results", b.name, where, n)
				}
			}
			related := `/users?where=` + url.QueryEscape(`{"$relatedTo":{"object":{"__type":"Pointer","className":"`+class+`","objectId":"`+made+`"},"key":"fans"}}`)
			if n := len(a.do(200, "GET", related, "", token)["results"].([]any)); n != 1 {
				t.Errorf("%d fans", n)
			}

			// A role of the one gives access at the other.
			guest := b.do(201, "POST", "/users", `{"username":"guest`+lower+`","password":"p"}`, "")
			b.do(404, "GET", path, "", guest["sessionToken"].(string))
			a.do(201, "POST", "/roles", `{"name":"`+class+`","ACL":{"*":{"read":true}},"users":{"__op":"AddRelation","objects":[{"__type":"Pointer","className":"_User","objectId":"`+guest["objectId"].(string)+`"}]}}`, "master")
			b.do(200, "GET", path, "", guest["sessionToken"].(string))
			b.do(400, "POST", "/roles", `{"name":"`+class+`","ACL":{"*":{"read":true}}}`, "master")

			// Permissions that the one sets hold at the other.
			a.do(200, "PUT", "/schemas/"+class, `{"classLevelPermissions":{"find":{},"get":{"*":true},"count":{"*":true},"create":{"*":true},"update":{"*":true},"delete":{"*":true},"addField":{"*":true}}}`, "master")
			for until := time.Now().Add(5 * time.Second); ; time.Sleep(50 * time.Millisecond) {
				if answer, _ := http.NewRequest("GET", b.url+"/classes/"+class, nil); time.Now().After(until) || refused(answer) {
					b.do(400, "GET", "/classes/"+class, "", token)
					break
				}
			}
			b.do(200, "DELETE", path, "", token)
			a.do(404, "GET", path, "", token)
			b.do(200, "POST", "/logout", "", token)
			a.do(400, "GET", "/users/me", "", token)
		})
	}
}

// refused reports whether the class may not be searched.
func refused(req *http.Request) bool {
	req.Header.Set("X-Parse-Application-Id", "APP")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	res.Body.Close()
	return res.StatusCode == 400
}
