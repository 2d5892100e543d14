package rest_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"

	"github.com/parsescale/parsescale/server"
	"github.com/parsescale/parsescale/server/cloud"
	"github.com/parsescale/parsescale/server/config"
)

// TestKeysAndAddresses asks /serverInfo, which only a master key opens, with every kind of key from every kind of
// address, over a trusted proxy, in the header and in the body form.
func TestKeysAndAddresses(t *testing.T) {
	const inside, outside = "10.1.2.3", "203.0.113.9"
	w := start(t, server.Environment{}, func(o *config.Options) {
		o.ReadOnlyMasterKey, o.MaintenanceKey, o.RESTAPIKey = "RO", "MAINT", "REST"
		o.MasterKeyIPs, o.ReadOnlyMasterKeyIPs, o.MaintenanceKeyIPs = config.IPList{"10.0.0.0/8"}, config.IPList{"10.0.0.0/8"}, config.IPList{"10.0.0.0/8"}
		o.TrustProxy.Hops = 1
	})
	for _, test := range []struct {
		key, from string
		status    int
		body      string
	}{
		{"", inside, 403, unauthorized},
		{"REST", inside, 403, denied},
		{"REST", outside, 403, denied},
		{"MASTER", inside, 200, ""},
		{"MASTER", "::ffff:" + inside, 200, ""},
		{"MASTER", outside, 403, unauthorized},
		{"MASTER", "nonsense", 403, unauthorized},
		{"RO", inside, 200, ""},
		{"RO", outside, 403, unauthorized},
		{"MAINT", inside, 403, denied},
		{"MAINT", outside, 403, unauthorized},
		{"WRONG", inside, 403, unauthorized},
	} {
		field := map[string]string{"REST": "X-Parse-REST-API-Key", "MAINT": "X-Parse-Maintenance-Key"}[test.key]
		if field == "" {
			field = "X-Parse-Master-Key"
		}
		scenarios := []Scenario{{
			Name: "header", Method: "GET", Path: "/serverInfo", Status: test.status, Exact: test.body,
			Headers: app(field, test.key, "X-Forwarded-For", test.from),
		}}
		if field == "X-Parse-Master-Key" && test.key != "" {
			scenarios = append(scenarios, Scenario{
				Name: "body", Method: "POST", Path: "/serverInfo", Status: test.status, Exact: test.body,
				Body:    `{"_method":"GET","_ApplicationId":"APP","_MasterKey":"` + test.key + `"}`,
				Headers: map[string]string{"X-Forwarded-For": test.from},
			})
		}
		t.Run(fmt.Sprintf("%s from %s", test.key, test.from), func(t *testing.T) {
			in := *w
			in.t = t
			in.run(scenarios)
		})
	}
}

func TestForgedFieldsChangeNothing(t *testing.T) {
	w := start(t, server.Environment{}, func(o *config.Options) { o.MasterKeyIPs = config.IPList{"10.0.0.1"} })
	for _, field := range []string{"X-Parsescale-Client-Ip", "X-Forwarded-For", "X-Real-Ip", "Forwarded"} {
		if res := w.do("GET", "/serverInfo", "", master(field, "10.0.0.1")); res.status != 403 {
			t.Errorf("%s was believed: %s", field, res.body)
		}
	}
	one := w.do("POST", "/classes/A", `{"a":1}`, app("X-Parsescale-Write-Id", "same"))
	two := w.do("POST", "/classes/A", `{"a":1}`, app("X-Parsescale-Write-Id", "same"))
	if one.body == two.body {
		t.Error("a client's write id was believed")
	}
	token := member(t, w.do("POST", "/users", `{"username":"u","password":"p"}`, app()).body, "sessionToken")
	res := w.do("GET", "/classes/A", "", app("X-Parse-Session-Token", token))
	if res.status != 200 || res.header.Get("X-Parsescale-Reads")+res.header.Get("X-Parsescale-Rights") != "" {
		t.Errorf("a client is told what is the gateway's to know: %d, %v", res.status, res.header)
	}
}

// TestRepeatsAskNobody repeats writes of classes with triggers, as a gateway does whose worker died: the code isn't asked
// again about what is done, and the answer is the first one's, also where a request id was used up.
func TestRepeatsAskNobody(t *testing.T) {
	var mu sync.Mutex
	asked := map[string]int{}
	count := func(kind string) cloud.Trigger {
		return func(_ context.Context, r *cloud.TriggerRequest) error {
			mu.Lock()
			defer mu.Unlock()
			asked[kind+" "+r.Object.ClassName]++
			return nil
		}
	}
	w := start(t, server.Environment{Gateway: true, Cloud: func(c *cloud.Cloud) error {
		var all cloud.Validator
		return errors.Join(
			c.BeforeSave("A", count("beforeSave"), all), c.AfterSave("A", count("afterSave"), all),
			c.BeforeDelete("A", count("beforeDelete"), all), c.AfterDelete("A", count("afterDelete"), all),
			c.BeforeSave("_User", count("beforeSave"), all), c.BeforeLogin(count("beforeLogin")),
		)
	}}, func(o *config.Options) { o.IdempotencyOptions.Paths = []string{".*"} })
	local := master("X-Parsescale-Client-Ip", "127.0.0.1")
	w.do("POST", "/users", `{"username":"u","password":"p"}`, local)
	made := w.do("POST", "/classes/A", `{"n":1}`, local)
	id := member(t, made.body, "objectId")
	for _, c := range []struct {
		name, method, path, body, requestID string
		asked                               map[string]int
	}{
		{"create", "POST", "/classes/A", `{"n":1}`, "", map[string]int{"beforeSave A": 1, "afterSave A": 1}},
		{"create with a request id", "POST", "/classes/A", `{"n":1}`, "r1", map[string]int{"beforeSave A": 1, "afterSave A": 1}},
		{"update", "PUT", "/classes/A/" + id, `{"n":2}`, "", map[string]int{"beforeSave A": 1, "afterSave A": 1}},
		{"update with a request id", "PUT", "/classes/A/" + id, `{"n":3}`, "r2", map[string]int{"beforeSave A": 1, "afterSave A": 1}},
		{"batch", "POST", "/batch", `{"requests":[{"method":"POST","path":"/parse/classes/A","body":{}}]}`, "", map[string]int{"beforeSave A": 1, "afterSave A": 1}},
		{"transaction", "POST", "/batch", `{"transaction":true,"requests":[{"method":"POST","path":"/parse/classes/A","body":{}}]}`, "", map[string]int{"beforeSave A": 1, "afterSave A": 1}},
		{"sign-up", "POST", "/users", `{"username":"v","password":"p"}`, "", map[string]int{"beforeSave _User": 1}},
		{"log-in", "POST", "/login", `{"username":"u","password":"p"}`, "", map[string]int{"beforeLogin _User": 1}},
		{"delete", "DELETE", "/classes/A/" + id, ``, "", map[string]int{"beforeDelete A": 1, "afterDelete A": 1}},
	} {
		clear(asked)
		header := master("X-Parsescale-Client-Ip", "127.0.0.1", "X-Parsescale-Write-Id", strings.ReplaceAll(c.name, " ", "-"))
		if c.requestID != "" {
			header["X-Parse-Request-Id"] = c.requestID
		}
		one := w.do(c.method, c.path, c.body, header)
		two := w.do(c.method, c.path, c.body, header)
		if one.status/100 != 2 || one.status != two.status || one.body != two.body {
			t.Errorf("%s: %d %s, then %d %s", c.name, one.status, one.body, two.status, two.body)
		}
		if !maps.Equal(asked, c.asked) {
			t.Errorf("%s: asked %v, want %v", c.name, asked, c.asked)
		}
	}
}

func TestGatewayFields(t *testing.T) {
	w := start(t, server.Environment{Gateway: true}, func(o *config.Options) { o.MasterKeyIPs = config.IPList{"10.0.0.1"} })
	from := func(more ...string) map[string]string {
		return master(append(more, "X-Parsescale-Client-Ip", "10.0.0.1")...)
	}
	if res := w.do("GET", "/serverInfo", "", from()); res.status != 200 {
		t.Errorf("the gateway's address isn't believed: %s", res.body)
	}
	if res := w.do("GET", "/serverInfo", "", master("X-Forwarded-For", "10.0.0.1")); res.status != 403 {
		t.Errorf("a request without the gateway's address has one: %s", res.body)
	}
	one := w.do("POST", "/classes/A", `{"a":1}`, from("X-Parsescale-Write-Id", "w1"))
	two := w.do("POST", "/classes/A", `{"a":1}`, from("X-Parsescale-Write-Id", "w1"))
	if one.status != 201 || one.body != two.body || one.header.Get("Location") != two.header.Get("Location") {
		t.Errorf("a repeated write answers %s, then %s", one.body, two.body)
	}
	batch := `{"requests":[{"method":"POST","path":"/parse/classes/A","body":{"a":2}},{"method":"POST","path":"/parse/classes/A","body":{"a":2}}]}`
	one = w.do("POST", "/batch", batch, from("X-Parsescale-Write-Id", "w2"))
	two = w.do("POST", "/batch", batch, from("X-Parsescale-Write-Id", "w2"))
	if one.status != 200 || one.body != two.body {
		t.Errorf("a repeated batch answers %s, then %s", one.body, two.body)
	}
	if res := w.do("GET", "/classes/A?count=1&limit=0", "", from()); res.body != `{"results":[],"count":3}` {
		t.Errorf("after the repeats: %s", res.body)
	}
	token := member(t, w.do("POST", "/users", `{"username":"u","password":"p"}`, app("X-Parsescale-Client-Ip", "8.8.8.8")).body, "sessionToken")
	res := w.do("GET", "/classes/A", "", map[string]string{"X-Parse-Application-Id": "APP", "X-Parse-Session-Token": token, "X-Parsescale-Client-Ip": "8.8.8.8"})
	if res.header.Get("X-Parsescale-Rights") == "" {
		t.Error("an answer for a session doesn't name its rights")
	}
}

// TestFirstAttempts: where the gateway says that it has sent a write's id nowhere before, nobody looks for the id, so that
// the app's code is asked at once; the write is done once all the same.
func TestFirstAttempts(t *testing.T) {
	asked, told := 0, 0
	w := start(t, server.Environment{Gateway: true, Cloud: func(c *cloud.Cloud) error {
		return errors.Join(
			c.BeforeSave("A", func(context.Context, *cloud.TriggerRequest) error { asked++; return nil }, cloud.Validator{}),
			c.AfterSave("A", func(context.Context, *cloud.TriggerRequest) error { told++; return nil }, cloud.Validator{}))
	}}, nil)
	batch := func(more string) string {
		return `{"requests":[{"method":"POST","path":"/parse/classes/A","body":{}}]` + more + `}`
	}
	for i, tt := range []struct {
		name, path, body, first string
		asked, told             int
	}{
		{"a first attempt", "/classes/A", `{}`, "1", 1, 1},
		{"what says again that it is the first", "/classes/A", `{}`, "1", 2, 1},
		{"a repeat", "/classes/A", `{}`, "", 2, 1},
		{"a batch", "/batch", batch(""), "1", 1, 1},
		{"the first again of a batch", "/batch", batch(""), "1", 2, 1},
		{"a repeated batch", "/batch", batch(""), "", 2, 1},
		{"a transaction", "/batch", batch(`,"transaction":true`), "1", 1, 1},
		{"the first again of a transaction", "/batch", batch(`,"transaction":true`), "1", 2, 1},
		{"a repeated transaction", "/batch", batch(`,"transaction":true`), "", 2, 1},
	} {
		if i%3 == 0 {
			asked, told = 0, 0
		}
		res := w.do("POST", tt.path, tt.body, app("X-Parsescale-Write-Id", fmt.Sprint("w", i/3), "X-Parsescale-First-Attempt", tt.first))
		if res.status >= 300 || asked != tt.asked || told != tt.told {
			t.Errorf("%s: %d %s; asked %d times, want %d, told %d times, want %d", tt.name, res.status, res.body, asked, tt.asked, told, tt.told)
		}
	}
	if res := w.do("GET", "/classes/A?count=1&limit=0", "", app()); res.body != `{"results":[],"count":3}` {
		t.Errorf("there are %s", res.body)
	}
}

func TestLocationFollowsTheConfiguration(t *testing.T) {
	w := start(t, server.Environment{}, func(o *config.Options) { o.PublicServerURL = "https://api.example.com/1" })
	res := w.do("POST", "/classes/A", `{}`, app("Host", "evil.example"))
	if want := "https://api.example.com/1/classes/A/" + member(t, res.body, "objectId"); res.header.Get("Location") != want {
		t.Errorf("Location %q, want %q", res.header.Get("Location"), want)
	}
	batch := `{"requests":[{"method":"GET","path":"/1/classes/A","body":{"limit":0}},{"method":"GET","path":"/parse/classes/A","body":{"limit":0}}]}`
	if res := w.do("POST", "/batch", batch, app()); res.status != 200 {
		t.Errorf("a batch with the public path: %s", res.body)
	}
}
