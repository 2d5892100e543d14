package rest_test

import (
	"strings"
	"testing"

	"github.com/parsescale/parsescale/server"
	"github.com/parsescale/parsescale/server/config"
)

func TestConfigParameters(t *testing.T) {
	w := start(t, server.Environment{}, func(o *config.Options) { o.ReadOnlyMasterKey = "RO" })
	readOnly := map[string]string{"X-Parse-Application-Id": "APP", "X-Parse-Master-Key": "RO"}
	w.run([]Scenario{
		{Name: "nothing yet", Method: "GET", Path: "/config", Headers: app(), Status: 200, Exact: `{"params":{}}`},
		{Name: "clients may not write", Method: "PUT", Path: "/config", Headers: app(), Body: `{"params":{"a":1}}`, Status: 403},
		{Name: "nor may the read-only key", Method: "PUT", Path: "/config", Headers: readOnly, Body: `{"params":{"a":1}}`, Status: 400, Subset: `{"code":119}`},
		{Name: "two parameters", Method: "PUT", Path: "/config", Headers: master(), Body: `{"params":{"a":1,"s":"secret"},"masterKeyOnly":{"s":true}}`, Status: 200, Exact: `{"result":true}`},
		{Name: "clients see one", Method: "GET", Path: "/config", Headers: app(), Status: 200, Exact: `{"params":{"a":1},"masterKeyOnly":{"a":false}}`},
		{Name: "the master key both", Method: "GET", Path: "/config", Headers: master(), Status: 200, Exact: `{"params":{"a":1,"s":"secret"},"masterKeyOnly":{"a":false,"s":true}}`},
		{Name: "an operation", Method: "PUT", Path: "/config", Headers: master(), Body: `{"params":{"a":{"__op":"Increment","amount":2},"s":{"__op":"Delete"}}}`, Status: 200},
		{Name: "is done", Method: "GET", Path: "/config", Headers: app(), Status: 200, Exact: `{"params":{"a":3},"masterKeyOnly":{"a":false,"s":false}}`},
		{Name: "no object", Method: "PUT", Path: "/config", Headers: master(), Body: `{"params":5}`, Status: 400, Subset: `{"code":107}`},
		{Name: "a list", Method: "PUT", Path: "/config", Headers: master(), Body: `{"params":[1]}`, Status: 400, Subset: `{"code":107}`},
		{Name: "a forbidden name", Method: "PUT", Path: "/config", Headers: master(), Body: `{"params":{"constructor":1}}`, Status: 400, Subset: `{"code":105}`},
		{Name: "a relation", Method: "PUT", Path: "/config", Headers: master(), Body: `{"params":{"r":{"__op":"AddRelation","objects":[{"__type":"Pointer","className":"A","objectId":"x"}]}}}`, Status: 400},
		{Name: "an unknown operation", Method: "PUT", Path: "/config", Headers: master(), Body: `{"params":{"a":{"__op":"Nope"}}}`, Status: 400, Subset: `{"code":108}`},
		{Name: "nothing was half written", Method: "GET", Path: "/config", Headers: app(), Status: 200, Exact: `{"params":{"a":3},"masterKeyOnly":{"a":false,"s":false}}`},
		{Name: "a mark that JavaScript takes for true", Method: "PUT", Path: "/config", Headers: master(), Body: `{"params":{"t":1},"masterKeyOnly":{"t":1}}`, Status: 200},
		{Name: "hides its parameter", Method: "GET", Path: "/config", Headers: app(), Status: 200, Exact: `{"params":{"a":3},"masterKeyOnly":{"a":false,"s":false}}`},
		{Name: "it is no class for clients", Method: "GET", Path: "/classes/_GlobalConfig", Headers: app(), Status: 400, Subset: `{"code":119}`},
	})
}

func TestSmallRouters(t *testing.T) {
	w := start(t, server.Environment{}, func(o *config.Options) { o.Security.EnableCheck = true })
	w.run([]Scenario{
		{Name: "clients see no audiences", Method: "GET", Path: "/push_audiences", Headers: app(), Status: 403},
		{Name: "none yet", Method: "GET", Path: "/push_audiences?count=1&limit=0", Headers: master(), Status: 200, Exact: `{"results":[],"count":0}`},
		{Name: "an audience", Method: "POST", Path: "/push_audiences", Headers: master(), Body: `{"name":"a","query":"{\"deviceType\":\"ios\"}"}`, Status: 201},
		{Name: "its query is shown as JSON", Method: "GET", Path: "/push_audiences", Headers: master(), Status: 200, Has: []string{`"query":{"deviceType":"ios"}`}},
		{Name: "a query that is no text", Method: "POST", Path: "/push_audiences", Headers: master(), Body: `{"name":"a","query":{"a":1}}`, Status: 400, Subset: `{"code":111}`},
		{Name: "an event", Method: "POST", Path: "/events/Bought", Headers: app(), Body: `{"dimensions":{"a":"b"}}`, Status: 200, Exact: `{}`},
		{Name: "no schedules", Method: "GET", Path: "/cloud_code/jobs", Headers: master(), Status: 200, Exact: `[]`},
		{Name: "nor jobs", Method: "GET", Path: "/cloud_code/jobs/data", Headers: master(), Status: 200, Subset: `{"in_use":[],"jobs":[]}`},
		{Name: "so none can be scheduled", Method: "POST", Path: "/cloud_code/jobs", Headers: master(), Body: `{"job_schedule":{"jobName":"x"}}`, Status: 400, Subset: `{"code":141}`},
		{Name: "clients see no report", Method: "GET", Path: "/security", Headers: app(), Status: 403},
		{Name: "a weak master key is found", Method: "GET", Path: "/security", Headers: master(), Status: 200, Has: []string{`"title":"Secure master key"`, `"state":"fail"`}},
		{Name: "clients see no log", Method: "GET", Path: "/scriptlog", Headers: app(), Status: 403},
		{Name: "the log", Method: "GET", Path: "/scriptlog?size=5&order=asc&level=info", Headers: master(), Status: 200},
	})
	if body := w.do("GET", "/security", "", master()).body; strings.Contains(body, "MASTER") {
		t.Errorf("the report tells the key: %s", body)
	}
}

func TestRequestIDs(t *testing.T) {
	w := start(t, server.Environment{}, func(o *config.Options) {
		o.IdempotencyOptions = config.Idempotency{Paths: []string{"classes/.*", "users"}, TTL: 60}
	})
	id := func(id string) map[string]string {
		return map[string]string{"X-Parse-Application-Id": "APP", "X-Parse-Request-Id": id}
	}
	duplicate := `{"code":159,"error":"Duplicate request"}`
	w.run([]Scenario{
		{Name: "the first", Method: "POST", Path: "/classes/Once", Headers: id("a"), Body: `{"n":1}`, Status: 201},
		{Name: "again", Method: "POST", Path: "/classes/Once", Headers: id("a"), Body: `{"n":1}`, Status: 400, Exact: duplicate},
		{Name: "with another id", Method: "POST", Path: "/classes/Once/", Headers: id("b"), Body: `{"n":1}`, Status: 201},
		{Name: "another method", Method: "PUT", Path: "/classes/Once/x", Headers: id("a"), Body: `{"n":1}`, Status: 400, Exact: duplicate},
		{Name: "a read has none", Method: "GET", Path: "/classes/Once", Headers: id("a"), Status: 200},
		{Name: "a path that isn't listed", Method: "POST", Path: "/roles", Headers: id("a"), Body: `{"name":"R","ACL":{}}`, Status: 201},
		{Name: "a user", Method: "POST", Path: "/users", Headers: id("u"), Body: `{"username":"a","password":"b"}`, Status: 201},
		{Name: "once", Method: "POST", Path: "/users", Headers: id("u"), Body: `{"username":"a","password":"b"}`, Status: 400, Exact: duplicate},
		{Name: "what failed", Method: "POST", Path: "/classes/Once", Headers: id("f"), Body: `{"n":"x"}`, Status: 400, Subset: `{"code":111}`},
		{Name: "may be sent again", Method: "POST", Path: "/classes/Once", Headers: id("f"), Body: `{"n":2}`, Status: 201},
		{Name: "three were made", Method: "GET", Path: "/classes/Once?count=1&limit=0", Headers: app(), Status: 200, Exact: `{"results":[],"count":3}`},
	})
}
