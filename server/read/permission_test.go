package read_test

import (
	"strings"
	"testing"

	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/users/apptest"
)

func signUp(name string) apptest.Step {
	return apptest.Step{
		Do: "POST /users", Body: `{"username":"` + name + `","password":"pw"}`,
		Want: `{"objectId":"<` + name + `>","createdAt":"<ts>","sessionToken":"<tok` + name + `>"}`,
	}
}

// people makes ann, bob, mia (a member of the role Team) and eve (who was one).
func people(t *testing.T, configure func(*apptest.Options)) *apptest.App {
	t.Helper()
	a := apptest.New(t, configure)
	pointer := func(id string) string {
		return `{"__type":"Pointer","className":"_User","objectId":"` + id + `"}`
	}
	a.Play(t, []apptest.Step{
		signUp("ann"), signUp("bob"), signUp("mia"), signUp("eve"),
		{Who: "master", Do: "POST /roles", Body: `{"name":"Team","ACL":{},"users":{"__op":"AddRelation","objects":[` + pointer("<mia>") + `,` + pointer("<eve>") + `]}}`, Want: `{"objectId":"<team>","createdAt":"<ts>"}`},
		{Who: "master", Do: "PUT /roles/<team>", Body: `{"users":{"__op":"RemoveRelation","objects":[` + pointer("<eve>") + `]}}`, Want: `{"updatedAt":"<ts>"}`},
	})
	return a
}

const (
	no119 = `{"code":119,"error":"Permission denied"}`
	no101 = `{"code":101,"error":"Permission denied"}`
	gone  = `{"code":101,"error":"Object not found."}`
)

// TestOperationsByCaller asks for every operation as every kind of caller under several class-level permissions.
func TestOperationsByCaller(t *testing.T) {
	type outcome string
	const (
		yes, forbidden, notFound, needsUser, none outcome = "yes", "119", "404", "101 denied", "nothing"
	)
	callers := []string{"public", "ann", "bob", "mia", "eve", "master", "readonly", "maintenance"}
	all := func(o outcome) map[string]outcome {
		m := map[string]outcome{"master": yes, "readonly": yes, "maintenance": yes}
		for _, c := range callers[:5] {
			m[c] = o
		}
		return m
	}
	but := func(m map[string]outcome, o outcome, who ...string) map[string]outcome {
		for _, w := range who {
			m[w] = o
		}
		return m
	}
	writes := func(m map[string]outcome) map[string]outcome { return but(m, forbidden, "readonly") }
	owner := `{"pointerFields":["owner"]}`
	tests := []struct {
		name, op, entities string
		want               map[string]outcome
	}{
		{"everybody", "get", `{"*":true}`, all(yes)},
		{"nobody", "get", `{}`, all(forbidden)},
		{"users", "get", `{"requiresAuthentication":true}`, but(all(yes), needsUser, "public")},
		{"one user", "get", `{"<bob>":true}`, but(all(forbidden), yes, "bob")},
		{"a role", "get", `{"role:Team":true}`, but(all(forbidden), yes, "mia")},
		{"the owner", "get", owner, but(all(notFound), yes, "ann")},
		{"those in a list", "get", `{"pointerFields":["list"]}`, but(all(notFound), yes, "bob")},
		{"owner or list", "get", `{"pointerFields":["owner","list"]}`, but(all(notFound), yes, "ann", "bob")},
		{"owner or role", "get", `{"pointerFields":["owner"],"role:Team":true}`, but(all(notFound), yes, "ann", "mia")},

		{"everybody", "find", `{"*":true}`, all(yes)},
		{"nobody", "find", `{}`, all(forbidden)},
		{"users", "find", `{"requiresAuthentication":true}`, but(all(yes), needsUser, "public")},
		{"a role", "find", `{"role:Team":true}`, but(all(forbidden), yes, "mia")},
		{"the owner", "find", owner, but(all(none), yes, "ann")},

		{"everybody", "count", `{"*":true}`, all(yes)},
		{"nobody", "count", `{}`, all(forbidden)},
		{"the owner", "count", owner, but(all(none), yes, "ann")},

		{"everybody", "create", `{"*":true}`, writes(all(yes))},
		{"nobody", "create", `{}`, writes(all(forbidden))},
		{"users", "create", `{"requiresAuthentication":true}`, writes(but(all(yes), needsUser, "public"))},
		{"a role", "create", `{"role:Team":true}`, writes(but(all(forbidden), yes, "mia"))},
		{"the owner", "create", owner, writes(all(forbidden))},

		{"everybody", "update", `{"*":true}`, writes(all(yes))},
		{"nobody", "update", `{}`, writes(all(forbidden))},
		{"one user", "update", `{"<bob>":true}`, writes(but(all(forbidden), yes, "bob"))},
		{"the owner", "update", owner, writes(but(all(notFound), yes, "ann"))},

		{"everybody", "delete", `{"*":true}`, writes(all(yes))},
		{"nobody", "delete", `{}`, writes(all(forbidden))},
		{"the owner", "delete", owner, writes(but(all(notFound), yes, "ann"))},

		{"everybody", "addField", `{"*":true}`, writes(all(yes))},
		{"nobody", "addField", `{}`, writes(all(forbidden))},
		{"the owner", "addField", owner, writes(but(all(notFound), yes, "ann"))},
	}
	a := people(t, nil)
	fields := map[string]schema.Field{"owner": {Type: schema.Pointer, TargetClass: "_User"}, "list": {Type: schema.Array}, "v": {Type: schema.Number}}
	freshFields := 0
	for _, tt := range tests {
		for _, who := range callers {
			t.Run(tt.op+" for "+tt.name+" by "+who, func(t *testing.T) {
				perms := `{"find":{"*":true},"get":{"*":true},"count":{"*":true},"create":{"*":true},"update":{"*":true},"delete":{"*":true},"addField":{"*":true}}`
				a.Permissions("P", perms, fields)
				a.Play(t, []apptest.Step{{Who: "master", Do: "POST /classes/P", Want: `{"objectId":"<o>","createdAt":"<ts>"}`,
					Body: `{"v":1,"owner":{"__type":"Pointer","className":"_User","objectId":"<ann>"},"list":[{"__type":"Pointer","className":"_User","objectId":"<bob>"}]}`}})
				defer func() {
					a.Do("master", a.Fill("DELETE /classes/P/<o>"), "")
					a.Forget("o")
				}()
				perms = strings.Replace(perms, `"`+tt.op+`":{"*":true}`, `"`+tt.op+`":`+a.Fill(tt.entities), 1)
				a.Permissions("P", perms, nil)
				caller := who
				if tok := a.Fill("<tok" + who + ">"); !strings.HasPrefix(tok, "<") {
					caller = tok
				}
				request, body := map[string]string{
					"get": "GET /classes/P/<o>", "find": "GET /classes/P", "count": "GET /classes/P?count=1&limit=0", "create": "POST /classes/P",
					"update": "PUT /classes/P/<o>", "delete": "DELETE /classes/P/<o>", "addField": "PUT /classes/P/<o>",
				}[tt.op], `{"v":2}`
				if tt.op == "addField" {
					freshFields++
					body = `{"f` + strings.Repeat("x", freshFields) + `":1}`
				}
				got := a.Do(caller, a.Fill(request), body)
				if got2 := classify(tt.op, got); got2 != string(tt.want[who]) {
					t.Errorf("%s: %d %s, want %s", got2, got.Status, got.Body, tt.want[who])
				}
				if tt.op == "create" && got.Status == 201 {
					a.Do("master", "DELETE /classes/P/"+got.Location[len("/classes/P/"):], "")
				}
			})
		}
	}
}

func classify(op string, got apptest.Answer) string {
	switch {
	case got.Status == 400 && got.Body == no119:
		return "119"
	case got.Status == 404 && got.Body == no101:
		return "101 denied"
	case got.Status == 404 && got.Body == gone:
		return "404"
	case op == "find" && got.Body == `{"results":[]}`, op == "count" && got.Body == `{"results":[],"count":0}`:
		return "nothing"
	case op == "count" && got.Body != `{"results":[],"count":1}`:
		return "?"
	case got.Status == 200 || got.Status == 201:
		return "yes"
	}
	return "?"
}

func TestUserFieldsOfTheClass(t *testing.T) {
	a := people(t, nil)
	a.Permissions("P", `{"find":{},"get":{},"count":{},"create":{"*":true},"update":{},"delete":{},"addField":{},"readUserFields":["owner"],"writeUserFields":["owner"]}`,
		map[string]schema.Field{"owner": {Type: schema.Pointer, TargetClass: "_User"}, "v": {Type: schema.Number}})
	const shown = `{"objectId":"<o>","createdAt":"<ts>","updatedAt":"<ts>","owner":{"objectId":"<ann>","__type":"Pointer","className":"_User"},"v":<any>}`
	a.Play(t, []apptest.Step{
		{Do: "POST /classes/P", Body: `{"v":1,"owner":{"__type":"Pointer","className":"_User","objectId":"<ann>"}}`, Want: `{"objectId":"<o>","createdAt":"<ts>"}`},
		{Do: "GET /classes/P", Want: `{"results":[]}`},
		{Do: "GET /classes/P/<o>", Status: 404, Want: gone},
		{Who: "<tokbob>", Do: "GET /classes/P", Want: `{"results":[]}`},
		{Who: "<tokann>", Do: "GET /classes/P", Want: `{"results":[` + shown + `]}`},
		{Who: "<tokann>", Do: "GET /classes/P?count=1&limit=0", Want: `{"results":[],"count":1}`},
		{Who: "<tokbob>", Do: "PUT /classes/P/<o>", Body: `{"v":2}`, Status: 404, Want: gone},
		{Who: "<tokann>", Do: "PUT /classes/P/<o>", Body: `{"v":2}`, Want: `{"updatedAt":"<ts>"}`},
		{Who: "<tokann>", Do: "PUT /classes/P/<o>", Body: `{"fresh":2}`, Want: `{"updatedAt":"<ts>"}`},
		{Who: "<tokbob>", Do: "PUT /classes/P/<o>", Body: `{"fresher":2}`, Status: 404, Want: gone},
		{Do: "POST /classes/P", Body: `{"freshest":1}`, Status: 400, Want: no119},
		{Who: "<tokbob>", Do: "DELETE /classes/P/<o>", Status: 404, Want: gone},
		{Who: "<tokann>", Do: "DELETE /classes/P/<o>", Want: `{}`},
	})
}

func TestProtectedFields(t *testing.T) {
	a := people(t, nil)
	fields := map[string]schema.Field{"a": {Type: schema.String}, "b": {Type: schema.String}, "c": {Type: schema.String},
		"owner": {Type: schema.Pointer, TargetClass: "_User"}, "list": {Type: schema.Array}}
	const open = `"find":{"*":true},"get":{"*":true},"count":{"*":true},"create":{"*":true},"update":{"*":true},"addField":{"*":true}`
	a.Permissions("P", a.Fill(`{`+open+`,"protectedFields":{"*":["a","b","c"],"authenticated":["a","b"],"role:Team":["a"],"<bob>":[],"userField:owner":["b"],"userField:list":[]}}`), fields)
	a.Play(t, []apptest.Step{{
		Do: "POST /classes/P", Want: `{"objectId":"<o>","createdAt":"<ts>"}`,
		Body: `{"a":"A","b":"B","c":"C","owner":{"__type":"Pointer","className":"_User","objectId":"<ann>"},"list":[1,{"__type":"Pointer","className":"_User","objectId":"<eve>"}]}`,
	}})
	for _, tt := range []struct{ who, want string }{
		{"public", ""},
		{"<tokann>", "AC"}, // {a,b} without what owners don't hide: b
		{"<tokbob>", "ABC"},
		{"<tokmia>", "BC"},
		{"<tokeve>", "ABC"}, // in the list: nothing is hidden
		{"master", "ABC"},
		{"maintenance", "ABC"},
	} {
		for _, request := range []string{"GET /classes/P/<o>", "GET /classes/P", "GET /classes/P?keys=a,b,c", "GET /classes/P?include=owner"} {
			t.Run(tt.who+" "+request, func(t *testing.T) {
				got := a.Do(a.Fill(tt.who), a.Fill(request), "")
				seen := ""
				for _, v := range []string{"A", "B", "C"} {
					if strings.Contains(got.Body, `"`+strings.ToLower(v)+`":"`+v+`"`) {
						seen += v
					}
				}
				if got.Status != 200 || seen != tt.want {
					t.Errorf("sees %q, want %q: %s", seen, tt.want, got.Body)
				}
			})
		}
	}
	for _, tt := range []struct {
		who, params string
		ok          bool
	}{
		{"public", `where={"a":"A"}`, false},
		{"public", `where={"a.x":"A"}`, false},
		{"public", `where={"$or":[{"owner":null},{"$and":[{"a":{"$exists":true}}]}]}`, false},
		{"public", `where={"$nor":[{"a":"A"}]}`, false},
		{"public", `order=-a`, false},
		{"public", `where={"owner":{"$exists":true}}`, true},
		{"public", `where={"owner":{"$inQuery":{"className":"P","where":{"a":"A"}}}}`, false},
		{"public", `where={"owner":{"$select":{"query":{"className":"P","where":{}},"key":"a"}}}`, false},
		{"public", `where={"owner":{"$select":{"query":{"className":"_User","where":{}},"key":"email"}}}`, false},
		{"public", `where={"owner":{"$select":{"query":{"className":"_User","where":{}},"key":"authData"}}}`, false},
		{"<tokmia>", `where={"a":"A"}`, false},
		{"<tokmia>", `where={"b":"B"}`, true},
		{"<tokbob>", `where={"a":"A"}&order=b`, true},
		{"master", `where={"a":"A"}&order=b`, true},
	} {
		t.Run(tt.who+" "+tt.params, func(t *testing.T) {
			got := a.Do(a.Fill(tt.who), "GET /classes/P?"+tt.params, "")
			if ok := got.Status == 200; ok != tt.ok || !ok && got.Body != no119 {
				t.Errorf("%d %s", got.Status, got.Body)
			}
		})
	}
}

func TestClassesClientsMayNotTouch(t *testing.T) {
	a := people(t, nil)
	for _, class := range []string{"_JobStatus", "_PushStatus", "_Hooks", "_GlobalConfig", "_GraphQLConfig", "_JobSchedule", "_Audience", "_Idempotency", "_Join:users:_Role", "_SCHEMA"} {
		for _, who := range []string{"public", "<tokann>"} {
			for _, request := range []string{"GET /classes/" + class, "GET /classes/" + class + "/x", "POST /classes/" + class, "PUT /classes/" + class + "/x", "DELETE /classes/" + class + "/x"} {
				if got := a.Do(a.Fill(who), request, `{}`); got.Status != 400 || got.Body != no119 {
					t.Errorf("%s %s: %d %s", who, request, got.Status, got.Body)
				}
			}
			inner := `GET /classes/A?where={"p":{"$inQuery":{"className":"` + class + `","where":{}}}}`
			if got := a.Do(a.Fill(who), inner, ``); got.Status != 400 || got.Body != no119 {
				t.Errorf("%s %s: %d %s", who, inner, got.Status, got.Body)
			}
		}
	}
	a.Play(t, []apptest.Step{
		{Do: "GET /classes/_Installation", Status: 400, Want: no119},
		{Do: "DELETE /classes/_Installation/x", Status: 400, Want: no119},
		{Do: "GET /classes/_Installation/x", Status: 404, Want: gone},
		{Who: "master", Do: "GET /classes/_Audience", Want: `{"results":[]}`},
	})
	closed := apptest.New(t, func(o *apptest.Options) {
		o.Read.AllowClientClassCreation, o.Write.AllowClientClassCreation = false, false
	})
	closed.Play(t, []apptest.Step{
		{Do: "GET /classes/New", Status: 400, Want: no119},
		{Do: "GET /classes/New/x", Status: 400, Want: no119},
		{Do: "POST /classes/New", Body: `{"a":1}`, Status: 400, Want: no119},
		{Do: "PUT /classes/New/x", Body: `{"a":1}`, Status: 400, Want: no119},
		{Do: `GET /classes/_User?where={"p":{"$inQuery":{"className":"New","where":{}}}}`, Status: 400, Want: no119},
		{Do: "GET /classes/_Product", Want: `{"results":[]}`},
		{Who: "master", Do: "GET /classes/New", Want: `{"results":[]}`},
		{Who: "master", Do: "POST /classes/New", Body: `{"a":1}`, Want: `{"objectId":"<o>","createdAt":"<ts>"}`},
		{Do: "GET /classes/New?keys=a", Want: `{"results":[{"objectId":"<o>","createdAt":"<ts>","updatedAt":"<ts>","a":1}]}`},
	})
}
