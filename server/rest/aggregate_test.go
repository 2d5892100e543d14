package rest_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/parsescale/parsescale/server"
	"github.com/parsescale/parsescale/server/config"
)

// query makes a path with parameters in order.
func withParams(path string, pairs ...string) string {
	sep := "?"
	for i := 0; i+1 < len(pairs); i += 2 {
		path += sep + url.QueryEscape(pairs[i]) + "=" + url.QueryEscape(pairs[i+1])
		sep = "&"
	}
	return path
}

// The answers are those of parse-server on PostgreSQL, but for what COMPATIBILITY.md lists.
func TestAggregate(t *testing.T) {
	w := start(t, server.Environment{}, func(o *config.Options) {
		o.ReadOnlyMasterKey, o.AllowCustomObjectID = "RO", true
	})
	m := master()
	var steps []Scenario
	for _, body := range []string{
		`{"objectId":"a","i":1,"nm":"x","p":{"__type":"Pointer","className":"Q","objectId":"a"},"f":{"__type":"File","name":"n.txt"},"d":{"__type":"Date","iso":"2020-03-01T03:04:05.678Z"},"ACL":{"u":{"read":true}}}`,
		`{"objectId":"b","i":2,"nm":"x","rel":{"__op":"AddRelation","objects":[{"__type":"Pointer","className":"Q","objectId":"a"}]}}`,
		`{"objectId":"c","i":4}`,
	} {
		steps = append(steps, Scenario{Name: "create", Method: "POST", Path: "/classes/Q", Headers: m, Body: body, Status: 201})
	}
	get := func(name, want string, status int, pairs ...string) {
		steps = append(steps, Scenario{Name: name, Method: "GET", Path: withParams("/aggregate/Q", pairs...), Headers: m, Status: status, Exact: want})
	}
	const rel = `"rel":{"__type":"Relation","className":"Q"}`
	get("distinct", `{"results":["x"]}`, 200, "distinct", "nm")
	get("distinct with where", `{"results":[2,4]}`, 200, "distinct", "i", "where", `{"i":{"$gt":1}}`)
	get("distinct pointers", `{"results":[{"__type":"Pointer","className":"Q","objectId":"a"}]}`, 200, "distinct", "p")
	get("distinct files are names", `{"results":["n.txt"]}`, 200, "distinct", "f")
	get("distinct dates are texts", `{"results":["2020-03-01T03:04:05.678Z"]}`, 200, "distinct", "d")
	get("distinct of no field", `{"results":[]}`, 200, "distinct", "nosuch")
	get("distinct of a bad name", `{"code":105,"error":"Invalid field name: x\"; DROP"}`, 400, "distinct", `x"; DROP`)
	get("distinct of an internal field", `{"code":105,"error":"Invalid field name: _rperm"}`, 400, "distinct", "_rperm")
	get("distinct with a bad where", `{"code":107,"error":"where parameter is not valid JSON"}`, 400, "distinct", "nm", "where", "nope")
	get("group", `{"results":[{"n":2,"s":3,`+rel+`,"objectId":"x"},{"n":1,"s":4,`+rel+`,"objectId":null}]}`, 200,
		"pipeline", `[{"$group":{"_id":"$nm","n":{"$sum":1},"s":{"$sum":"$i"}}},{"$sort":{"_id":1}}]`)
	get("group of all that match", `{"results":[{"total":6,`+rel+`,"objectId":null}]}`, 200, "$match", `{"i":{"$gt":1}}`, "$group", `{"_id":null,"total":{"$sum":"$i"}}`)
	get("key of several fields", `{"results":[{`+rel+`,"objectId":{"m":3,"p":{"__type":"Pointer","className":"Q","objectId":"a"},"q":"a"}}]}`, 200,
		"pipeline", `[{"$match":{"_id":"a"}},{"$group":{"_id":{"m":{"$month":"$d"},"p":"$p","q":"$p"}}}]`)
	get("names that no field has are hidden", `{"results":[{`+rel+`,"objectId":null}]}`, 200, "pipeline", `[{"$group":{"_id":null,"_x":{"$max":"$i"},"a b":{"$max":"$i"}}}]`)
	get("project", `{"results":[{"i":1,`+rel+`,"objectId":null},{"i":2,`+rel+`,"objectId":null}]}`, 200, "pipeline", `[{"$sort":{"i":1}},{"$limit":2},{"$project":{"i":1}}]`)
	get("unknown stage", `{"code":102,"error":"Invalid aggregate stage 'group'."}`, 400, "pipeline", `[{"group":{}}]`)
	get("unknown parameter", `{"code":102,"error":"Invalid aggregate stage 'limit'."}`, 400, "$group", `{"_id":"$nm"}`, "limit", "1")
	get("unknown field", `{"code":102,"error":"column \"nosuch\" does not exist"}`, 400, "pipeline", `[{"$sort":{"nosuch":1}}]`)
	get("a sum of texts", `{"code":102,"error":"function sum(text) does not exist"}`, 400, "pipeline", `[{"$group":{"_id":null,"x":{"$sum":"$nm"}}}]`)
	get("options are no stages", `{"results":[]}`, 200, "pipeline", `[{"$match":{"i":9}}]`, "hint", "x", "comment", "y", "readPreference", "PRIMARY", "rawValues", "true", "rawFieldNames", "false")
	get("explain", `{"results":[{}]}`, 200, "pipeline", `[{"$match":{"i":9}}]`, "explain", "true")
	steps = append(steps,
		Scenario{Name: "whole objects have no ACL", Method: "GET", Path: withParams("/aggregate/Q", "pipeline", `[{"$match":{"_id":"a"}}]`), Headers: m, Status: 200,
			Subset: `{"results":[{"objectId":"a","i":1,"p":{"__type":"Pointer","className":"Q","objectId":"a"}}]}`},
		Scenario{Name: "no class", Method: "GET", Path: "/aggregate/None?distinct=x", Headers: m, Status: 200, Exact: `{"results":[]}`},
		Scenario{Name: "in a body", Method: "POST", Path: "/aggregate/Q", Headers: m, Body: `{"_method":"GET","pipeline":[{"$group":{"_id":null,"n":{"$sum":1}}}]}`, Status: 200, Exact: `{"results":[{"n":3,` + rel + `,"objectId":null}]}`},
		Scenario{Name: "nobody else may ask", Method: "GET", Path: "/aggregate/Q?distinct=nm", Headers: app(), Status: 403, Exact: denied},
		Scenario{Name: "users show no password", Method: "POST", Path: "/users", Headers: app(), Body: `{"username":"u","password":"pw"}`, Status: 201},
		Scenario{Name: "read-only master key", Method: "GET", Path: "/aggregate/Q?distinct=nm", Headers: map[string]string{"X-Parse-Application-Id": "APP", "X-Parse-Master-Key": "RO"}, Status: 200, Exact: `{"results":["x"]}`},
		Scenario{Name: "explain a find", Method: "GET", Path: "/classes/Q?explain=true", Headers: m, Status: 200, Has: []string{`{"results":[{"QUERY PLAN":[{"Plan":{`}},
		Scenario{Name: "explain a find of no class", Method: "GET", Path: "/classes/None?explain=true", Headers: m, Status: 200, Exact: `{"results":[]}`},
		Scenario{Name: "explain nothing", Method: "GET", Path: "/classes/Q?explain=true&limit=0&count=1", Headers: m, Status: 200, Exact: `{"results":[],"count":3}`},
		Scenario{Name: "explain for everyone", Method: "GET", Path: "/classes/Q?explain=true", Headers: app(), Status: 400, Exact: `{"code":102,"error":"Using the explain query parameter requires the master key"}`},
	)
	w.run(steps)
	res := w.do("GET", withParams("/aggregate/_User", "pipeline", `[{"$limit":1}]`, "rawValues", "true"), "", m)
	if res.status != 200 || !strings.Contains(res.body, `"username":"u"`) {
		t.Errorf("a user: %d %s", res.status, res.body)
	}
	for _, secret := range []string{"password", "$2", "authData"} {
		if strings.Contains(res.body, secret) {
			t.Errorf("a user shows %s: %s", secret, res.body)
		}
	}
}

func TestAggregateOptions(t *testing.T) {
	w := start(t, server.Environment{}, func(o *config.Options) {
		o.ReadOnlyMasterKey, o.AllowAggregationForReadOnlyMasterKey, o.AllowPublicExplain = "RO", false, true
	})
	w.run([]Scenario{
		{Name: "create", Method: "POST", Path: "/classes/Q", Headers: app(), Body: `{"i":1}`, Status: 201},
		{Name: "read-only master key", Method: "GET", Path: "/aggregate/Q?distinct=i", Headers: map[string]string{"X-Parse-Application-Id": "APP", "X-Parse-Master-Key": "RO"}, Status: 400,
			Exact: `{"code":119,"error":"Cannot run an aggregation pipeline when using the readOnlyMasterKey"}`},
		{Name: "explain for everyone", Method: "GET", Path: "/classes/Q?explain=true", Headers: app(), Status: 200, Has: []string{`"QUERY PLAN"`}},
	})
}

func TestScore(t *testing.T) {
	w := start(t, server.Environment{}, nil)
	w.run([]Scenario{
		{Name: "create", Method: "POST", Path: "/classes/T", Headers: app(), Body: `{"t":"brown dog and then a fox"}`, Status: 201},
		{Name: "create", Method: "POST", Path: "/classes/T", Headers: app(), Body: `{"t":"brown fox brown fox"}`, Status: 201},
		{Name: "score", Method: "GET", Path: withParams("/classes/T", "where", `{"t":{"$text":{"$search":{"$term":"brown & fox"}}}}`, "keys", "$score,t", "order", "$score"), Headers: app(), Status: 200,
			Subset: `{"results":[{"score":0.23076923,"t":"brown fox brown fox"},{"score":0.019607844}]}`},
		{Name: "score of included objects", Method: "GET", Path: withParams("/classes/T", "where", `{"t":{"$text":{"$search":{"$term":"dog"}}}}`, "keys", "$score", "include", "t"), Headers: app(), Status: 200,
			Has: []string{`"score":0.09090909`}},
		{Name: "an order by no score", Method: "GET", Path: withParams("/classes/T", "where", `{"t":{"$text":{"$search":{"$term":"fox"}}}}`, "order", "$score"), Headers: app(), Status: 200, Exact: `{"results":[]}`},
		{Name: "a score of nothing", Method: "GET", Path: withParams("/classes/T", "keys", "$score"), Headers: app(), Status: 400, Exact: `{"code":102,"error":"$score needs a $text condition"}`},
		{Name: "a class without a table", Method: "GET", Path: withParams("/classes/None", "where", `{"t":{"$text":{"$search":{"$term":"fox"}}}}`), Headers: app(), Status: 200, Exact: `{"results":[]}`},
		{Name: "two words", Method: "GET", Path: withParams("/classes/T", "where", `{"t":{"$text":{"$search":{"$term":"brown fox"}}}}`), Headers: app(), Status: 400, Exact: `{"code":107,"error":"bad $text: syntax error in the search term \"brown fox\""}`},
	})
}
