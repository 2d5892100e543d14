package rest_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/parsescale/parsescale/server"
	"github.com/parsescale/parsescale/server/cloud"
	"github.com/parsescale/parsescale/server/parseerror"
	"github.com/parsescale/parsescale/server/query"
)

// truthy is JavaScript's idea of truth: the code below does what its like in JavaScript did when the answers were recorded.
func truthy(v any) bool { return v != nil && v != false && v != "" && v != 0.0 }

func mutBefore(_ context.Context, r *cloud.TriggerRequest) error {
	o := r.Object
	switch {
	case truthy(o.Get("throwstr")):
		return errors.New("str")
	case truthy(o.Get("throwp")):
		return parseerror.New(1234, "custom")
	case truthy(o.Get("panic")):
		panic("secret")
	}
	if truthy(o.Get("inc")) {
		o.Increment("n", 1)
	}
	if truthy(o.Get("unset")) {
		o.Unset("gone")
	}
	if truthy(o.Get("rev")) {
		o.Revert("n")
	}
	if truthy(o.Get("acl")) {
		o.Set("ACL", map[string]any{"u1": map[string]any{"read": true, "write": true}})
	}
	if truthy(o.Get("ptr")) {
		o.Set("p", query.Pointer{ClassName: "X", ObjectID: "abc"})
	}
	if truthy(o.Get("set")) {
		o.Set("bs", 5.0)
	}
	if m, ok := o.Get("place").(map[string]any); ok {
		m["in"] = "place"
	}
	if truthy(o.Get("dirty")) {
		o.Set("dk", strings.Join(o.DirtyKeys(), ","))
		o.Set("isNew", o.IsNew())
		o.Set("existed", o.Existed())
	}
	r.Context["fromBefore"] = 1.0
	return nil
}

func mutAfter(_ context.Context, r *cloud.TriggerRequest) error {
	switch o := r.Object; {
	case truthy(o.Get("as")):
		o.Set("extra", 7.0)
	case truthy(o.Get("ctx")):
		o.Set("context", r.Context)
	case truthy(o.Get("asret")):
		r.Result = map[string]any{"hello": "w"}
	case truthy(o.Get("asthrow")):
		return errors.New("no")
	}
	return nil
}

func triggersInGo(c *cloud.Cloud) error {
	nothing := func(context.Context, *cloud.TriggerRequest) error { return nil }
	all := cloud.Validator{}
	return errors.Join(
		c.BeforeSave("Mut", mutBefore, all), c.AfterSave("Mut", mutAfter, all),
		c.BeforeDelete("Del", func(_ context.Context, r *cloud.TriggerRequest) error {
			if truthy(r.Object.Get("keep")) {
				return parseerror.New(parseerror.Validation, "keep")
			}
			return nil
		}, all),
		c.AfterDelete("Del", func(_ context.Context, r *cloud.TriggerRequest) error {
			if truthy(r.Object.Get("late")) {
				return errors.New("late")
			}
			return nil
		}, all),
		c.BeforeFind("BF", func(_ context.Context, r *cloud.TriggerRequest) error {
			r.Context["bf"] = 1.0
			r.Query.Where["a"] = 2.0
			if r.Count {
				r.Query.Where["a"] = 1.0
			}
			return nil
		}, all),
		c.BeforeFind("BFE", func(context.Context, *cloud.TriggerRequest) error { return errors.New("nofind") }, all),
		c.AfterFind("AF", func(_ context.Context, r *cloud.TriggerRequest) error {
			var shown []*cloud.Object
			for _, o := range r.Objects {
				seen, _ := r.Context["bf"].(float64)
				o.Set("seen", seen)
				if !truthy(o.Get("hide")) {
					shown = append(shown, o)
				}
			}
			r.Objects = shown
			return nil
		}, all),
		c.BeforeFind("BFO", func(_ context.Context, r *cloud.TriggerRequest) error {
			o := cloud.NewObject("BFO", nil)
			o.Set("x", 1.0)
			r.Objects = []*cloud.Object{o}
			return nil
		}, all),
		c.BeforeSave("Val", nothing, cloud.Validator{Fields: map[string]cloud.Field{
			"a": {Required: true, Type: "number"}, "b": {Constant: true, Default: 3.0}, "c": {Options: []any{"x", "y"}},
			"d": {Valid: func(v any) bool { n, _ := v.(float64); return n > 3 }, Error: "d bad"},
		}}),
		c.BeforeSave("ValU", nothing, cloud.Validator{RequireUser: true, RequireAnyUserRoles: []string{"r1"}, RequireUserKeys: []string{"phone"}}),
		c.BeforeSave("ValK", nothing, cloud.Validator{UserKeys: map[string]cloud.Field{"phone": {Options: []any{"1", "2"}, Error: "phone bad"}}}),
		c.BeforeSave("ValSkip", func(context.Context, *cloud.TriggerRequest) error { return errors.New("ran") }, cloud.Validator{SkipWithMasterKey: true}),
	)
}

// TestTriggersInGo has the answers that parse-server 9.10 gave with the same triggers in JavaScript.
func TestTriggersInGo(t *testing.T) {
	w := start(t, server.Environment{Cloud: triggersInGo}, nil)
	post := func(name, class, body string, status int, want string) Scenario {
		return Scenario{Name: name, Method: "POST", Path: "/classes/" + class, Headers: app(), Body: body, Status: status, Subset: want}
	}
	w.run([]Scenario{
		post("an error that is a text", "Mut", `{"throwstr":true}`, 400, `{"code":141,"error":"str"}`),
		post("an error with a code", "Mut", `{"throwp":true}`, 400, `{"code":1234,"error":"custom"}`),
		post("a panic tells nothing", "Mut", `{"panic":true}`, 400, `{"code":141,"error":"Script failed."}`),
		post("a field that it sets", "Mut", `{"set":true}`, 201, `{"bs":5}`),
		post("what it changes in place", "Mut", `{"place":{"a":1}}`, 201, `{"place":{"a":1,"in":"place"}}`),
		post("a new object", "Mut", `{"dirty":true,"o":{"a":1}}`, 201, `{"dk":"dirty,o","isNew":true,"existed":false}`),
		post("afterSave adds to the answer", "Mut", `{"as":true,"f":{"__type":"File","name":"a.txt"},"arr":[1]}`, 201, `{"extra":7}`),
		post("afterSave answers", "Mut", `{"asret":true}`, 201, `{"hello":"w"}`),
		post("afterSave fails, to no avail", "Mut", `{"asthrow":true}`, 201, `{}`),
		post("a relation is told", "Mut", `{"rel":{"__op":"AddRelation","objects":[{"__type":"Pointer","className":"X","objectId":"q"}]},"ar":{"__op":"AddUnique","objects":[1]}}`, 201, `{"rel":{"__type":"Relation","className":"X"},"ar":[1]}`),
		post("a name that isn't valid", "Mut", `{"1a":1}`, 400, `{"code":105}`),
		post("an operation that there isn't", "Mut", `{"u":{"__op":"Nope"}}`, 400, `{"code":108}`),
		{Name: "the context reaches afterSave", Method: "POST", Path: "/classes/Mut", Headers: app("X-Parse-Cloud-Context", `{"c":1}`), Body: `{"ctx":true}`, Status: 201, Subset: `{"context":{"c":1,"fromBefore":1}}`},
		{Name: "an object that isn't there", Method: "PUT", Path: "/classes/Mut/nope", Headers: app(), Body: `{"throwstr":true}`, Status: 404, Subset: `{"code":101,"error":"Object not found."}`},
		{Name: "in a batch", Method: "POST", Path: "/batch", Headers: app(), Status: 200, Body: `{"requests":[{"method":"POST","path":"/parse/classes/Mut","body":{"throwp":true}},{"method":"POST","path":"/parse/classes/Mut","body":{"set":true}}]}`,
			Has: []string{`{"error":{"code":1234,"error":"custom"}}`, `"bs":5`}},
		post("a field that is required", "Val", `{}`, 400, `{"code":142,"error":"Validation failed. Please specify data for a."}`),
		post("of the wrong type", "Val", `{"a":"x"}`, 400, `{"code":142,"error":"Validation failed. Invalid type for a. Expected: number"}`),
		post("none of the options", "Val", `{"a":1,"c":"z","d":4}`, 400, `{"code":142,"error":"Validation failed. Invalid option for c. Expected: x, y"}`),
		post("not valid", "Val", `{"a":1,"c":"x","d":1}`, 400, `{"code":142,"error":"d bad"}`),
		post("a constant", "Val", `{"a":1,"b":9,"c":"x","d":4}`, 201, `{"b":3}`),
		{Name: "the master key isn't checked", Method: "POST", Path: "/classes/Val", Headers: master(), Body: `{}`, Status: 201},
		post("nobody is logged in", "ValU", `{}`, 400, `{"code":142,"error":"Validation failed. Please login to continue."}`),
		post("nobody has the fields", "ValK", `{}`, 400, `{"code":142,"error":"Please login to make this request."}`),
		post("it runs for clients", "ValSkip", `{}`, 400, `{"code":141,"error":"ran"}`),
		{Name: "and not for the master key", Method: "POST", Path: "/classes/ValSkip", Headers: master(), Body: `{}`, Status: 201},
	})
	for _, class := range []string{"BF", "BFE", "AF", "BFO"} {
		for a := 1; a <= 3; a++ {
			w.do("POST", "/classes/"+class, fmt.Sprintf(`{"a":%d,"hide":%v}`, a, a == 3), master())
		}
	}
	find := func(name, path string, status int, has ...string) Scenario {
		return Scenario{Name: name, Method: "GET", Path: path, Headers: app(), Status: status, Has: has}
	}
	w.run([]Scenario{
		find("a query that it changes", "/classes/BF?keys=a", 200, `[{`, `"a":2`),
		find("it knows of the count", "/classes/BF?count=1", 200, `"a":1`, `"count":1`),
		find("a count alone", "/classes/BF?count=1&limit=0", 200, `{"results":[],"count":1}`),
		find("a find that it refuses", "/classes/BFE", 400, `{"code":141,"error":"nofind"}`),
		find("a get that it refuses", "/classes/BFE/x", 400, `{"code":141,"error":"nofind"}`),
		find("results that it changes", "/classes/AF?order=a", 200, `"a":1`, `"seen":0`, `"className":"AF"`, `"a":2`),
		find("its own results", "/classes/BFO?count=1", 200, `{"results":[{"x":1,"className":"BFO"}]}`),
		find("its own result", "/classes/BFO/xyz", 200, `{"x":1,"className":"BFO"}`),
		{Name: "an aggregation", Method: "GET", Path: "/aggregate/BF?distinct=a", Headers: master(), Status: 200, Exact: `{"results":[2]}`},
		{Name: "a pipeline, which has its own conditions", Method: "GET", Path: `/aggregate/BF?$group={"_id":null,"n":{"$sum":1}}`, Headers: master(), Status: 200, Has: []string{`"n":3`}},
		{Name: "an aggregation of nonsense", Method: "GET", Path: `/aggregate/BF?distinct=a&where=[`, Headers: master(), Status: 400, Subset: `{"code":102}`},
		{Name: "an aggregation that it refuses", Method: "GET", Path: "/aggregate/BFE?distinct=a", Headers: master(), Status: 400, Exact: `{"code":141,"error":"nofind"}`},
		{Name: "its own aggregation", Method: "GET", Path: "/aggregate/BFO?distinct=a", Headers: master(), Status: 200, Exact: `{"results":[{"x":1,"className":"BFO"}]}`},
	})
}

// TestTriggersOfObjects has answers as TestTriggersInGo.
func TestTriggersOfObjects(t *testing.T) {
	w := start(t, server.Environment{Cloud: triggersInGo}, nil)
	id := member(t, w.do("POST", "/classes/Mut", `{"inc":true,"n":4,"gone":"x","o":{"a":1,"b":1}}`, app()).body, "objectId")
	for _, s := range []struct{ body, want string }{
		{`{"inc":true}`, `{"n":6}`},
		{`{"n":{"__op":"Increment","amount":2}}`, `{"n":9}`},
		{`{"unset":true}`, `{"n":10,"gone":{"__op":"Delete"}}`},
		{`{"unset":false,"ptr":true}`, `{"n":11,"p":{"__type":"Pointer","className":"X","objectId":"abc"}}`},
		{`{"ptr":false,"rev":true,"n":99}`, `{"n":11}`},
		{`{"rev":false,"dirty":true,"o":{"a":1}}`, `{"n":12,"dk":"rev,dirty,o,n","isNew":false,"existed":true}`},
		{`{"dirty":false,"o.b":2}`, `{"n":13,"o":{"a":1,"b":2}}`},
		{`{"o.c":{"__op":"Increment","amount":1}}`, `{"n":14,"o":{"a":1,"b":2,"c":1}}`},
		{`{"asret":true}`, `{"hello":"w"}`},
		{`{"asret":false,"as":true}`, `{"n":16,"extra":7}`},
		{`{"as":false,"acl":true}`, `{"n":17,"ACL":{"u1":{"read":true,"write":true}}}`},
	} {
		w.run([]Scenario{{Name: s.body, Method: "PUT", Path: "/classes/Mut/" + id, Headers: app(), Body: s.body, Status: 200, Subset: s.want}})
	}
	w.run([]Scenario{
		{Name: "what is stored", Method: "GET", Path: "/classes/Mut/" + id, Headers: master(), Status: 200, Subset: `{"n":17,"o":{"a":1,"b":2,"c":1}}`},
		{Name: "what afterSave sets isn't", Method: "GET", Path: `/classes/Mut?where={"extra":{"$exists":true}}`, Headers: master(), Status: 200, Exact: `{"results":[]}`},
		{Name: "nobody may write any more", Method: "PUT", Path: "/classes/Mut/" + id, Headers: app(), Body: `{"throwstr":true}`, Status: 404, Subset: `{"code":101}`},
	})
	for body, want := range map[string]Scenario{
		`{"keep":true}`:                  {Status: 400, Exact: `{"code":142,"error":"keep"}`},
		`{"late":true}`:                  {Status: 400, Exact: `{"code":141,"error":"late"}`},
		`{"ACL":{"*":{"read":true}}}`:    {Status: 404, Exact: `{"code":101,"error":"Object not found for delete."}`},
		`{"ACL":{"*":{"write":true}}}`:   {Status: 200, Exact: `{}`},
		`{"keep":false,"other":"value"}`: {Status: 200, Exact: `{}`},
	} {
		id := member(t, w.do("POST", "/classes/Del", body, app()).body, "objectId")
		want.Name, want.Method, want.Path, want.Headers = "delete "+body, "DELETE", "/classes/Del/"+id, app()
		w.run([]Scenario{want})
		left := w.do("GET", "/classes/Del/"+id, "", master()).status
		if there := left == 200; there != (want.Exact == `{"code":142,"error":"keep"}` || want.Status == 404) {
			t.Errorf("%s: afterwards its status is %d", body, left)
		}
	}
}

// TestTriggersElsewhere has answers as TestTriggersInGo: triggers of finds run for included objects and sub-queries.
func TestTriggersElsewhere(t *testing.T) {
	w := start(t, server.Environment{Cloud: triggersInGo}, nil)
	made := func(class, body string) string {
		return member(t, w.do("POST", "/classes/"+class, body, master()).body, "objectId")
	}
	one, two, af := made("BF", `{"a":1}`), made("BF", `{"a":2}`), made("AF", `{"a":1}`)
	hidden := made("AF", `{"hide":true}`)
	pointer := func(class, id string) string {
		return `{"__type":"Pointer","className":"` + class + `","objectId":"` + id + `"}`
	}
	made("Inc", `{"name":"x","p":`+pointer("BF", one)+`,"q":`+pointer("AF", af)+`,"list":[`+pointer("BF", two)+`,`+pointer("AF", hidden)+`],"r":`+pointer("BFE", "e")+`,"a":2}`)
	find := func(name, query, want string) Scenario {
		return Scenario{Name: name, Method: "GET", Path: "/classes/Inc?" + query, Headers: app(), Status: 200, Subset: want}
	}
	w.run([]Scenario{
		find("one that beforeFind doesn't find", "include=p", `{"results":[{"name":"x"}]}`),
		find("what beforeFind adds to the context", "include=p,q", `{"results":[{"q":{"seen":1,"className":"AF","__type":"Object"}}]}`),
		find("in a list", "include=list", `{"results":[{"list":[{"a":2,"className":"BF"}]}]}`),
		find("a sub-query", `where={"list":{"$inQuery":{"className":"BF","where":{}}}}`, `{"results":[{"name":"x"}]}`),
		find("a sub-query without results", `where={"p":{"$inQuery":{"className":"BF","where":{}}}}`, `{"results":[]}`),
		find("what is not in it", `where={"p":{"$notInQuery":{"className":"BF","where":{}}}}`, `{"results":[{"name":"x"}]}`),
		find("a key of it", `where={"a":{"$select":{"query":{"className":"BF","where":{}},"key":"a"}}}`, `{"results":[{"name":"x"}]}`),
		find("none of its keys", `where={"a":{"$dontSelect":{"query":{"className":"BF","where":{}},"key":"a"}}}`, `{"results":[]}`),
		find("below $or", `where={"$or":[{"name":"y"},{"q":{"$inQuery":{"className":"AF","where":{}}}}]}`, `{"results":[{"name":"x"}]}`),
		{Name: "an include that it refuses", Method: "GET", Path: "/classes/Inc?include=r", Headers: app(), Status: 400, Exact: `{"code":141,"error":"nofind"}`},
		{Name: "a sub-query that it refuses", Method: "GET", Path: `/classes/Inc?where={"r":{"$inQuery":{"className":"BFE","where":{}}}}`, Headers: app(), Status: 400, Exact: `{"code":141,"error":"nofind"}`},
	})
	if body := w.do("GET", "/classes/Inc?include=list,p", "", app()).body; strings.Contains(body, hidden) || strings.Contains(body, one) {
		t.Errorf("an object that its trigger hides is included: %s", body)
	}
}

// TestTriggersNeedPermission checks that nobody makes a trigger run for what may not be done.
func TestTriggersNeedPermission(t *testing.T) {
	var mu sync.Mutex
	ran := 0
	count := func(context.Context, *cloud.TriggerRequest) error {
		mu.Lock()
		defer mu.Unlock()
		ran++
		return nil
	}
	w := start(t, server.Environment{Cloud: func(c *cloud.Cloud) error {
		all := cloud.Validator{}
		return errors.Join(c.BeforeSave("Closed", count, all), c.BeforeDelete("Closed", count, all), c.BeforeSave("Open", count, all),
			c.BeforeDelete("Open", count, all), c.BeforeSave("_User", count, all), c.BeforeSave("_Installation", count, all))
	}}, nil)
	w.do("POST", "/schemas/Closed", `{"className":"Closed","classLevelPermissions":{"find":{"*":true}}}`, master())
	id := member(t, w.do("POST", "/classes/Open", `{"ACL":{"*":{"read":true}}}`, app()).body, "objectId")
	closed := member(t, w.do("POST", "/classes/Closed", `{}`, master()).body, "objectId")
	user := member(t, w.do("POST", "/users", `{"username":"u","password":"p"}`, app()).body, "objectId")
	ran = 0
	w.run([]Scenario{
		{Name: "create", Method: "POST", Path: "/classes/Closed", Headers: app(), Body: `{}`, Status: 400, Subset: `{"code":119}`},
		{Name: "update", Method: "PUT", Path: "/classes/Closed/" + closed, Headers: app(), Body: `{}`, Status: 400, Subset: `{"code":119}`},
		{Name: "delete", Method: "DELETE", Path: "/classes/Closed/" + closed, Headers: app(), Status: 400, Subset: `{"code":119}`},
		{Name: "an object that nobody may write", Method: "PUT", Path: "/classes/Open/" + id, Headers: app(), Body: `{}`, Status: 404},
		{Name: "nor delete", Method: "DELETE", Path: "/classes/Open/" + id, Headers: app(), Status: 404},
		{Name: "another user", Method: "PUT", Path: "/users/" + user, Headers: app(), Body: `{"a":1}`, Status: 400, Subset: `{"code":206}`},
		{Name: "a user without a name", Method: "POST", Path: "/users", Headers: app(), Body: `{"password":"p"}`, Status: 400, Subset: `{"code":200}`},
		{Name: "an address that is said to be verified", Method: "POST", Path: "/users", Headers: app(), Body: `{"username":"x","password":"p","emailVerified":true}`, Status: 400, Subset: `{"code":119}`},
		{Name: "an id of one's own", Method: "POST", Path: "/classes/Open", Headers: app(), Body: `{"objectId":"mine"}`, Status: 400, Subset: `{"code":105}`},
		{Name: "an installation without ids", Method: "POST", Path: "/installations", Headers: app(), Body: `{"deviceType":"ios"}`, Status: 400, Subset: `{"code":135}`},
		{Name: "a wrong session", Method: "POST", Path: "/classes/Open", Headers: app("X-Parse-Session-Token", "r:no"), Body: `{}`, Status: 400, Subset: `{"code":209}`},
	})
	if ran != 0 {
		t.Errorf("triggers ran %d times for what may not be done", ran)
	}
}
