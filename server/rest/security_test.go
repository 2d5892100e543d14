package rest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/parsescale/parsescale/server"
	"github.com/parsescale/parsescale/server/config"
	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/storage"
	"github.com/parsescale/parsescale/server/storage/sqlite"
)

// The requests of parse-server's past advisories, by their ids, against this worker. Not here, because what they are about
// isn't there yet: functions, jobs, triggers and hooks, config writes, GraphQL, LiveQuery, push,
// routeAllowList, schema writes. Those of mail, pages and lockout are in TestPageAdvisories, those of auth adapters, authData and
// second factors in TestAuthAdvisories.

// stage is a worker with something to steal: alice's and bob's accounts, an object only alice may read, and classes with
// permissions.
type stage struct {
	*world
	alice, bob           string // ids
	aliceToken, bobToken string
	secret               string // the object's id
	owner                string // the id of an object with a relation, readable by alice alone
}

// as are the header fields of a logged-in user; "" is nobody.
func as(token string) map[string]string {
	if token == "" {
		return app()
	}
	return app("X-Parse-Session-Token", token)
}

func where(class, text string) string { return "/classes/" + class + "?where=" + url.QueryEscape(text) }

// permissions are the class-level permissions that are there from the start, with the fields of those classes.
var permissions = []struct {
	class, permissions string
	fields             map[string]schema.Field
}{
	{"Closed", `{"find":{},"get":{},"count":{},"create":{},"update":{},"delete":{},"addField":{}}`, map[string]schema.Field{"word": {Type: schema.String}}},
	{"Fixed", `{"find":{"*":true},"get":{"*":true},"count":{},"create":{"*":true},"update":{"*":true},"delete":{},"addField":{}}`, map[string]schema.Field{"word": {Type: schema.String}}},
	{"Shy", `{"find":{"*":true},"get":{"*":true},"count":{"*":true},"create":{"*":true},"update":{"*":true},"delete":{"*":true},"addField":{"*":true},"protectedFields":{"*":["pin","friends"]}}`, map[string]schema.Field{
		"pin": {Type: schema.String}, "data": {Type: schema.Object}, "next": {Type: schema.Pointer, TargetClass: "Shy"}, "friends": {Type: schema.Relation, TargetClass: "_User"},
	}},
	{"Mine", `{"find":{},"get":{},"update":{},"count":{},"delete":{},"create":{"*":true},"addField":{},"readUserFields":["owner"],"writeUserFields":["owner"]}`, map[string]schema.Field{
		"owner": {Type: schema.Pointer, TargetClass: "_User"}, "word": {Type: schema.String},
	}},
}

func set(t *testing.T, change func(*config.Options)) *stage {
	t.Helper()
	file := filepath.ToSlash(filepath.Join(t.TempDir(), "parse.db"))
	store, err := sqlite.Open(t.Context(), sqlite.Options{URI: "sqlite://" + file, App: "APP"})
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = store.Write(t.Context(), "", func(tx storage.Tx) ([]byte, error) {
		for _, p := range permissions {
			v, err := query.Decode([]byte(p.permissions))
			if err != nil {
				return nil, err
			}
			c := schema.New(p.class, p.fields)
			c.Permissions = schema.PermissionsOf(v.(map[string]any))
			if _, err := tx.PutClass(context.Background(), c); err != nil {
				return nil, err
			}
		}
		return nil, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	s := &stage{world: start(t, server.Environment{}, func(o *config.Options) {
		o.DatabaseURI, o.ReadOnlyMasterKey = config.Secret("sqlite://"+file), "READONLY"
		if change != nil {
			change(o)
		}
	})}
	s.alice, s.aliceToken = s.signUp("alice")
	s.bob, s.bobToken = s.signUp("bob")
	acl := `"ACL":{"` + s.alice + `":{"read":true,"write":true}}`
	s.secret = member(t, s.must("POST", "/classes/Secret", `{"word":"xyzzy","n":1,"data":{"x":"deep"},`+acl+`}`, s.aliceToken), "objectId")
	s.owner = member(t, s.must("POST", "/classes/Owner", `{"of":{"__op":"AddRelation","objects":[{"__type":"Pointer","className":"Public","objectId":"`+
		member(t, s.must("POST", "/classes/Public", `{"secret":{"__type":"Pointer","className":"Secret","objectId":"`+s.secret+`"}}`, ""), "objectId")+`"}]},`+acl+`}`, s.aliceToken), "objectId")
	s.must("POST", "/classes/Shy", `{"pin":"4711","data":{"x":1},"friends":{"__op":"AddRelation","objects":[{"__type":"Pointer","className":"_User","objectId":"`+s.bob+`"}]}}`, "")
	s.must("POST", "/classes/Mine", `{"owner":{"__type":"Pointer","className":"_User","objectId":"`+s.alice+`"},"word":"plugh"}`, "")
	return s
}

func (s *stage) signUp(name string) (id, token string) {
	s.t.Helper()
	body := s.must("POST", "/users", `{"username":"`+name+`","password":"p-`+name+`","email":"`+name+`@example.com"}`, "")
	return member(s.t, body, "objectId"), member(s.t, body, "sessionToken")
}

func (s *stage) must(method, path, body, token string) string {
	s.t.Helper()
	res := s.do(method, path, body, as(token))
	if res.status >= 300 {
		s.t.Fatalf("%s %s: %d %s", method, path, res.status, res.body)
	}
	return res.body
}

// attack is one request of an advisory. Who sends it is nobody, bob, or the read-only master key.
type attack struct {
	id, who, method, path, body string
	// code is the Parse code of the refusal; 0: the request succeeds.
	code int
	// status is wanted besides, if it isn't 0.
	status int
	// empty: the request succeeds and finds nothing.
	empty bool
}

func (s *stage) attacks() []attack {
	pointer := func(class, id string) string {
		return `{"__type":"Pointer","className":"` + class + `","objectId":"` + id + `"}`
	}
	var all []attack
	find := func(id, who, class, text string, code int) {
		all = append(all, attack{id: id, who: who, method: "GET", path: where(class, text), code: code, empty: code == 0})
		all = append(all, attack{id: id, who: who, method: "POST", path: "/classes/" + class, body: `{"_method":"GET","where":` + text + `}`, code: code, empty: code == 0})
	}
	send := func(id, who, method, path, body string, code, status int) {
		all = append(all, attack{id: id, who: who, method: method, path: path, body: body, code: code, status: status})
	}
	// Injection.
	find("GHSA-c2hr-cqg6-8j6r", "", "_User", `{"username":{"$regex":"A'B';SELECT PG_SLEEP(3);--"}}`, 0)
	find("GHSA-6927-3vr9-fxf2", "", "_User", `{"username":{"$regex":"\\Q'; DROP TABLE \"_User\"; --\\E"}}`, 0)
	send("GHSA-qpr4-jrj4-6f27", "", "GET", "/classes/Secret?order="+url.QueryEscape(`data.x' ASC; UPDATE "_User" SET email='x' --`), "", 105, 400)
	send("GHSA-qpr4-jrj4-6f27", "", "GET", "/classes/Secret?order="+url.QueryEscape(`data.x"), (select 1)--`), "", 105, 400)
	send("GHSA-gqpp-xgvh-9h7h", "alice", "PUT", "/classes/Secret/"+s.secret, `{"data.y":{"__op":"Increment","amount":"0); UPDATE \"_User\" SET email='x' --"}}`, 107, 400)
	find("GHSA-c442-97qw-j6c6", "", "Secret", `{"data.a'||(select 1)--":1}`, 105)
	find("GHSA-c442-97qw-j6c6", "", "Secret", `{"data.\"x":1}`, 105)
	for _, params := range []string{
		"distinct=" + url.QueryEscape(`data.x"; DROP TABLE "Secret"; --`), "distinct=" + url.QueryEscape(`x') FROM "_User" --`),
		"pipeline=" + url.QueryEscape(`[{"$group":{"_id":"$a\" FROM \"_User\"; --"}}]`),
		"pipeline=" + url.QueryEscape(`[{"$group":{"_id":null,"x":{"$sum":"$a\") FROM \"_User\"; --"}}}]`),
	} {
		send("GHSA-p2w6-rmh7-w8q3", "readonly", "GET", "/aggregate/Secret?"+params, "", 105, 400)
	}
	send("GHSA-5fw2-8jcv-xh87", "", "POST", "/users", `{"authData":{"anonymous":{"id":{"$ne":null}}}}`, 162, 400)
	send("GHSA-5fw2-8jcv-xh87", "", "POST", "/users", `{"authData":{"anonymous":{"id":{"$regex":"^"}}}}`, 162, 400)
	for _, body := range []string{
		`{"a":{"_bsontype":"Code","code":"1"}}`, `{"a":{"constructor":{"prototype":{"x":1}}}}`, `{"a":[[{"__proto__":{"x":1}}]]}`, `{"constructor":1}`,
	} {
		send("GHSA-prm5-8g2m-24gg", "", "POST", "/classes/Public", body, 105, 400)
		send("GHSA-prm5-8g2m-24gg", "", "POST", "/batch", `{"requests":[{"method":"POST","path":"/parse/classes/Public","body":`+body+`}]}`, 105, 200)
	}
	for _, body := range []string{`{"a":{"x":1},"b":{"y":{"constructor":1}}}`, `{"b":{"y":{"constructor":1}},"a":{"x":1}}`, `{"a":{"y":{"z":{}},"w":{"constructor":1}}}`} {
		send("GHSA-q342-9w2p-57fp", "", "POST", "/classes/Public", body, 105, 400)
	}
	for _, name := range []string{"__proto__", "constructor"} {
		send("GHSA-9ccr-fpp6-78qf", "", "POST", "/classes/Public", `{"`+name+`":{"x":1}}`, 105, 400)
	}
	send("GHSA-9ccr-fpp6-78qf", "", "POST", "/classes/__proto__", `{"x":1}`, 107, 400)
	// Sessions and users.
	for _, body := range []string{`{"authData":{"anonymous":{}}}`, `{"authData":{}}`, `{"authData":{"anonymous":null}}`} {
		send("GHSA-wjqw-r9x4-j59v", "", "POST", "/users", body, 200, 400)
	}
	send("GHSA-g4cf-xj29-wqqr", "", "POST", "/users", `{"authData":{"nosuch":{"id":"x"}}}`, 252, 400)
	session := member(s.t, s.must("GET", "/sessions/me", "", s.aliceToken), "objectId")
	mine := member(s.t, s.must("GET", "/sessions/me", "", s.bobToken), "objectId")
	for _, body := range []string{
		`{"expiresAt":{"__type":"Date","iso":"2099-01-01T00:00:00.000Z"}}`, `{"createdWith":{"action":"login"}}`, `{"createdWith.action":"login"}`,
		`{"sessionToken":"r:x"}`, `{"installationId":"x"}`, `{"user":` + pointer("_User", s.alice) + `}`, `{"user":{"__op":"Delete"}}`,
	} {
		send("GHSA-jc39-686j-wp6q", "bob", "PUT", "/sessions/"+mine, body, 105, 400)
		send("GHSA-jc39-686j-wp6q", "bob", "PUT", "/classes/_Session/"+mine, body, 105, 400)
	}
	send("GHSA-6w4q-23cf-j9jp", "bob", "PUT", "/sessions/"+session, `{"x":1}`, 101, 404)
	send("GHSA-6w4q-23cf-j9jp", "bob", "DELETE", "/sessions/"+session, "", 101, 404)
	send("GHSA-6w4q-23cf-j9jp", "bob", "DELETE", "/classes/_Session/"+session, "", 101, 404)
	send("GHSA-6w4q-23cf-j9jp", "", "DELETE", "/sessions/"+session, "", 209, 400)
	send("GHSA-6w4q-23cf-j9jp", "bob", "GET", "/sessions/"+session, "", 101, 404)
	find("GHSA-6r2j-cxgf-495f", "", "_Session", `{}`, 209)
	find("GHSA-6r2j-cxgf-495f", "bob", "_Session", `{"sessionToken":{"$regex":"^`+s.aliceToken[:5]+`.*"},"user":`+pointer("_User", s.alice)+`}`, 0)
	send("GHSA-8xq9-g7ch-35hg", "", "POST", "/users", `{"objectId":"role:Admin","username":"r","password":"p"}`, 119, 400)
	// Permissions.
	for _, field := range []string{"_perishable_token", "_email_verify_token", "_hashed_password", "_password_history", "_session_token", "_auth_data_anonymous"} {
		find("GHSA-h4mf-75hf-67w4", "", "_User", `{"`+field+`":{"$regex":"^a"}}`, 105)
		find("GHSA-h4mf-75hf-67w4", "bob", "_User", `{"objectId":"`+s.bob+`","`+field+`":{"$exists":true}}`, 105)
		for _, op := range []string{"$or", "$and", "$nor"} {
			find("GHSA-2m6g-crv8-p3c6", "", "_User", `{"`+op+`":[{"username":"alice"},{"$and":[{"`+field+`":{"$regex":"^a"}}]}]}`, 105)
		}
		find("GHSA-2m6g-crv8-p3c6", "", "Public", `{"x":{"$inQuery":{"className":"_User","where":{"`+field+`":{"$regex":"^a"}}}}}`, 105)
		find("GHSA-2m6g-crv8-p3c6", "", "Public", `{"x":{"$select":{"key":"`+field+`","query":{"className":"_User","where":{}}}}}`, 102)
	}
	for _, field := range []string{"email", "authData", "authData.anonymous.id", "email.x"} {
		for _, text := range []string{`{"F":"a"}`, `{"$or":[{"F":{"$regex":"^a"}}]}`, `{"$and":[{"$nor":[{"F":{"$exists":true}}]}]}`, `{"F":{"$in":["a"]}}`, `{"F":{"$gt":"a"}}`, `{"F":null}`} {
			find("GHSA-72hp-qff8-4pvv", "", "_User", strings.ReplaceAll(text, "F", field), 119)
			find("GHSA-72hp-qff8-4pvv", "bob", "_User", strings.ReplaceAll(text, "F", field), 119)
			find("GHSA-72hp-qff8-4pvv", "bob", "Public", `{"secret":{"$inQuery":{"className":"_User","where":`+strings.ReplaceAll(text, "F", field)+`}}}`, 119)
		}
		refused := 119
		if field == "authData.anonymous.id" {
			refused = 105
		}
		send("GHSA-r2m8-pxm9-9c4g", "", "GET", "/users?order="+field, "", refused, 400)
		send("GHSA-r2m8-pxm9-9c4g", "bob", "GET", "/users?limit=0&count=1&order=-"+field, "", refused, 400)
		find("GHSA-72hp-qff8-4pvv", "bob", "Public", `{"x":{"$select":{"key":"`+field+`","query":{"className":"_User","where":{}}}}}`, 119)
		find("GHSA-72hp-qff8-4pvv", "bob", "Public", `{"x":{"$dontSelect":{"key":"`+field+`","query":{"className":"_User","where":{}}}}}`, 119)
	}
	find("GHSA-72hp-qff8-4pvv", "bob", "Shy", `{"next":{"$inQuery":{"className":"Shy","where":{"pin":"4711"}}}}`, 119)
	related := func(class, id, key string) string {
		return `{"$relatedTo":{"object":` + pointer(class, id) + `,"key":"` + key + `"}}`
	}
	shy := s.first("Shy")
	find("GHSA-wmwx-jr2p-4j4r", "bob", "Public", related("Owner", s.owner, "of"), 0)
	find("GHSA-wmwx-jr2p-4j4r", "bob", "Public", `{"$or":[`+related("Owner", s.owner, "of")+`]}`, 0)
	find("GHSA-wmwx-jr2p-4j4r", "bob", "_User", related("Shy", shy, "friends"), 119)
	find("GHSA-wmwx-jr2p-4j4r", "bob", "_User", related("_Join:friends:Shy", shy, "friends"), 0)
	for _, class := range []string{"_Audience", "_GraphQLConfig", "_GlobalConfig", "_Hooks", "_JobStatus", "_JobSchedule", "_PushStatus", "_Idempotency", "_Join:friends:Shy", "_SCHEMA"} {
		id := "GHSA-7xg7-rqf6-pw6c"
		if strings.HasPrefix(class, "_Join") {
			id = "GHSA-5f92-jrq3-28rc"
		}
		for _, who := range []string{"", "bob"} {
			find(id, who, class, `{}`, 119)
			send(id, who, "GET", "/classes/"+class+"/x", "", 119, 400)
			send(id, who, "POST", "/classes/"+class, `{"owningId":"x","relatedId":"y"}`, 119, 400)
			send(id, who, "PUT", "/classes/"+class+"/x", `{"a":1}`, 119, 400)
			send(id, who, "DELETE", "/classes/"+class+"/x", "", 119, 400)
			find(id, who, "Public", `{"x":{"$inQuery":{"className":"`+class+`","where":{}}}}`, 119)
		}
	}
	find("GHSA-7xg7-rqf6-pw6c", "bob", "_Installation", `{}`, 119)
	for _, write := range []struct{ method, path, body string }{
		{"POST", "/classes/Public", `{"a":1}`}, {"PUT", "/classes/Secret/" + s.secret, `{"word":"y"}`}, {"DELETE", "/classes/Secret/" + s.secret, ""},
		{"POST", "/users", `{"username":"ro","password":"p"}`}, {"PUT", "/users/" + s.alice, `{"password":"p"}`}, {"POST", "/loginAs", `{"userId":"` + s.alice + `"}`},
		{"POST", "/login", `{"username":"alice","password":"p-alice"}`},
	} {
		send("GHSA-vc89-5g3r-cmhh", "readonly", write.method, write.path, write.body, 119, 400)
	}
	send("GHSA-xfh7-phr7-gr2x", "readonly", "POST", "/files/a.txt", "x", -1, 403)
	send("GHSA-xfh7-phr7-gr2x", "readonly", "DELETE", "/files/a.txt", "", -1, 403)
	send("no id: ACL of others", "bob", "PUT", "/classes/Secret/"+s.secret, `{"ACL":{"*":{"read":true}}}`, 101, 404)
	send("no id: ACL of others", "bob", "DELETE", "/classes/Secret/"+s.secret, "", 101, 404)
	send("no id: ACL of others", "bob", "GET", "/classes/Secret/"+s.secret, "", 101, 404)
	send("no id: ACL of others", "bob", "PUT", "/classes/Owner/"+s.owner, `{"of":{"__op":"RemoveRelation","objects":[`+pointer("Public", s.first("Public"))+`]}}`, 101, 404)
	send("no id: ACL of others", "bob", "PUT", "/users/"+s.alice, `{"password":"x"}`, 206, 400)
	send("no id: ACL of others", "bob", "DELETE", "/users/"+s.alice, "", 206, 400)
	find("no id: ACL of others", "bob", "Secret", `{"word":{"$regex":"^x"}}`, 0)
	find("no id: ACL of others", "bob", "Public", `{"secret":{"$inQuery":{"className":"Secret","where":{"word":"xyzzy"}}}}`, 0)
	find("no id: ACL of others", "bob", "_User", `{"username":{"$select":{"key":"word","query":{"className":"Secret","where":{}}}}}`, 0)
	for _, closed := range []attack{
		{method: "GET", path: "/classes/Closed"}, {method: "GET", path: "/classes/Closed/x"}, {method: "POST", path: "/classes/Closed", body: `{"word":"x"}`},
		{method: "PUT", path: "/classes/Closed/x", body: `{"word":"x"}`}, {method: "DELETE", path: "/classes/Closed/x"},
		{method: "GET", path: "/classes/Fixed?count=1&limit=0"}, {method: "POST", path: "/classes/Fixed", body: `{"other":1}`}, {method: "POST", path: "/classes/Fixed", body: `{"other.x":1}`},
		{method: "GET", path: where("Public", `{"x":{"$inQuery":{"className":"Closed","where":{}}}}`)},
		{method: "GET", path: where("Public", `{"x":{"$select":{"key":"word","query":{"className":"Closed","where":{}}}}}`)},
	} {
		send("no id: class-level permissions", "bob", closed.method, closed.path, closed.body, 119, 400)
	}
	find("no id: class-level permissions", "bob", "Mine", `{}`, 0)
	find("no id: class-level permissions", "", "Mine", `{"word":"plugh"}`, 0)
	send("no id: class-level permissions", "bob", "PUT", "/classes/Mine/"+s.first("Mine"), `{"word":"x"}`, 101, 404)
	for _, body := range []string{`"_hashed_password":"x"`, `"_rperm":["*"]`, `"emailVerified":true`, `"_perishable_token":"x"`, `"_auth_data_anonymous":{"id":"x"}`} {
		code := 105
		if strings.Contains(body, "emailVerified") {
			code = 119
		}
		send("no id: reserved fields", "", "POST", "/users", `{"username":"z","password":"p",`+body+`}`, code, 400)
		send("no id: reserved fields", "bob", "PUT", "/users/"+s.bob, `{`+body+`}`, code, 400)
	}
	// Availability.
	send("GHSA-xqp8-w826-hh6x", "", "GET", "/classes/Public?explain=foo", "", 102, 400)
	find("GHSA-9cp7-3q5w-j92g", "", "Public", `{"a":{"$regex":"[abc"}}`, 102)
	find("GHSA-mmg8-87c5-jrc2", "", "Public", `{"$or":{"0":{"a":1},"length":1}}`, 102)
	all = append(all, attack{id: "GHSA-9xp9-j92r-p88v", method: "POST", path: "/classes/Public", body: `{"_method":"GET","where":` + nested(`{"$and":[`, `{}`, `]}`, 100_000) + `}`, code: -1, status: 400})
	for _, body := range []string{
		`{"_ApplicationId":"APP","_SessionToken":{}}`, `{"_ApplicationId":"APP","_MasterKey":[]}`, `{"_ApplicationId":{"$ne":1}}`, `{"_ApplicationId":"APP","_InstallationId":{"a":1}}`,
	} {
		all = append(all, attack{id: "no id: credentials that aren't text", who: "none", method: "POST", path: "/classes/Public", body: body, code: -1, status: 403})
	}
	return all
}

// first is the id of the first object of a class.
func (s *stage) first(class string) string {
	s.t.Helper()
	res := s.do("GET", "/classes/"+class+"?limit=1", "", master())
	var found struct{ Results []struct{ ObjectID string } }
	if err := json.Unmarshal([]byte(res.body), &found); err != nil || len(found.Results) == 0 {
		s.t.Fatalf("no %s: %s", class, res.body)
	}
	return found.Results[0].ObjectID
}

func TestAdvisories(t *testing.T) {
	s := set(t, nil)
	who := map[string]map[string]string{
		"": app(), "bob": as(s.bobToken), "alice": as(s.aliceToken), "readonly": app("X-Parse-Master-Key", "READONLY"), "none": nil,
	}
	for _, a := range s.attacks() {
		t.Run(a.id, func(t *testing.T) {
			in := *s.world
			in.t = t
			began := time.Now()
			res := in.do(a.method, a.path, a.body, who[a.who])
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("took %v", took)
			}
			request := fmt.Sprintf("%s %s %s as %q", a.method, short(a.path), short(a.body), a.who)
			if a.status != 0 && res.status != a.status || res.status >= 500 {
				t.Errorf("%s: status %d, want %d; body %s", request, res.status, a.status, res.body)
			}
			if a.code > 0 && !strings.Contains(res.body, fmt.Sprintf(`"code":%d,`, a.code)) {
				t.Errorf("%s: body %s, want code %d", request, res.body, a.code)
			}
			if a.empty && (res.status != http.StatusOK || res.body != `{"results":[]}`) {
				t.Errorf("%s: %d %s, want no results", request, res.status, res.body)
			}
			for _, secret := range []string{"xyzzy", "4711", "plugh", s.aliceToken, "$2a$", "@example.com"} {
				if strings.Contains(res.body, secret) {
					t.Errorf("%s: %q leaks", request, secret)
				}
			}
		})
	}
	t.Run("nothing came of it", func(t *testing.T) {
		var got struct{ Results []map[string]any }
		if err := json.Unmarshal([]byte(s.do("GET", "/users?order=createdAt", "", master()).body), &got); err != nil {
			t.Fatal(err)
		}
		if len(got.Results) != 2 || got.Results[0]["email"] != "alice@example.com" || got.Results[1]["email"] != "bob@example.com" {
			t.Errorf("users: %v", got.Results)
		}
		if res := s.do("GET", "/classes/Secret/"+s.secret, "", master()); !strings.Contains(res.body, "xyzzy") {
			t.Errorf("the object: %s", res.body)
		}
		s.must("GET", "/users/me", "", s.aliceToken)
	})
}

func short(s string) string { return s[:min(len(s), 200)] }
