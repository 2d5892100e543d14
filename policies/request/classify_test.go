package request

import (
	"maps"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"
)

// ask makes an Input. A target is "METHOD /path?query"; header fields are "Name: value".
func ask(target, body string, header ...string) Input {
	method, rest, _ := strings.Cut(target, " ")
	path, raw, _ := strings.Cut(rest, "?")
	in := Input{Method: method, Path: path, RawQuery: raw, Header: http.Header{}, BodyComplete: true, Mount: "/parse"}
	if body != "" {
		in.Body = []byte(body)
	}
	for _, h := range header {
		name, value, _ := strings.Cut(h, ": ")
		in.Header.Add(name, value)
	}
	if in.Body != nil && in.Header["Content-Type"] == nil {
		in.Header.Set("Content-Type", "application/json")
	}
	return in
}

const app = "X-Parse-Application-Id: APP"

func TestOperations(t *testing.T) {
	anyClass, none := []string(nil), []string{}
	user := []string{"_User", "_Session"}
	for _, test := range []struct {
		target, body string
		op           Op
		class, id    string
		write        bool
		classes      []string
	}{
		{"GET /classes/Game", "", Find, "Game", "", false, nil},
		{"HEAD /classes/Game", "", Find, "Game", "", false, nil},
		{"GET /classes/Game/abc", "", Get, "Game", "abc", false, nil},
		{"GET /CLASSES/Game/abc/", "", Get, "Game", "abc", false, nil},
		{"GET //classes/Game", "", Find, "Game", "", false, nil},
		{"GET /classes/G%61me", "", Find, "Game", "", false, nil},
		{"POST /classes/Game", `{"a":1}`, Create, "Game", "", true, []string{"Game"}},
		{"POST /classes/Game", "", Create, "Game", "", true, []string{"Game"}},
		{"PUT /classes/Game/abc", `{"a":1}`, Update, "Game", "abc", true, []string{"Game"}},
		{"DELETE /classes/Game/abc", "", Delete, "Game", "abc", true, []string{"Game"}},
		{"GET /users", "", Find, "_User", "", false, nil},
		{"GET /users/abc", "", Get, "_User", "abc", false, nil},
		{"GET /users/me", "", Me, "_User", "", false, nil},
		{"GET /sessions/ME", "", Me, "_Session", "", false, nil},
		{"PUT /users/me", `{}`, Update, "_User", "me", true, user},
		{"POST /users", `{}`, SignUp, "_User", "", true, user},
		{"POST /classes/_User", `{}`, SignUp, "_User", "", true, user},
		{"DELETE /classes/_User/abc", ``, Delete, "_User", "abc", true, user},
		{"GET /sessions", "", Find, "_Session", "", false, nil},
		{"DELETE /sessions/abc", "", Delete, "_Session", "abc", true, []string{"_Session"}},
		{"POST /roles", `{}`, Create, "_Role", "", true, []string{"_Role", "_Join:users:_Role", "_Join:roles:_Role"}},
		{"POST /installations", `{}`, Create, "_Installation", "", true, []string{"_Installation"}},
		{"GET /login?username=a&password=b", "", LogIn, "", "", true, user},
		{"HEAD /login", "", LogIn, "", "", true, user},
		{"POST /LogIn/", "{}", LogIn, "", "", true, user},
		{"POST /loginAs", "{}", LogIn, "", "", true, user},
		{"GET /verifyPassword", "", LogIn, "", "", true, user},
		{"POST /logout", "", LogOut, "", "", true, user},
		{"POST /requestPasswordReset", "{}", Account, "", "", true, user},
		{"POST /functions/hello", "{}", Function, "", "", true, anyClass},
		{"POST /jobs/clean", "{}", Job, "", "", true, anyClass},
		{"POST /jobs", "{}", Job, "", "", true, anyClass},
		{"POST /events/AppOpened", "{}", Event, "", "", true, none},
		{"POST /files/a.txt", "\x00raw", FileUpload, "", "", true, none},
		{"POST /files/a.txt", `{"_method":"GET"}`, FileUpload, "", "", true, none},
		{"GET /files/APP/a%20b.txt", "", FileRead, "", "", false, nil},
		{"GET /files/APP/d/e/f/g/a.txt", "", FileRead, "", "", false, nil},
		{"DELETE /files/a.txt", "", FileDelete, "", "", true, none},
		{"GET /config", "", Config, "", "", false, nil},
		{"PUT /config", "{}", Config, "", "", true, anyClass},
		{"GET /schemas", "", Schema, "", "", false, nil},
		{"GET /schemas/Game", "", Schema, "Game", "", false, nil},
		{"PUT /schemas/Game", "{}", Schema, "Game", "", true, anyClass},
		{"DELETE /purge/Game", "", Purge, "Game", "", true, anyClass},
		{"GET /aggregate/Game", "", Aggregate, "Game", "", false, nil},
		{"POST /push", "{}", Push, "", "", true, anyClass},
		{"PUT /hooks/triggers/Game/beforeSave", "{}", Hooks, "", "", true, anyClass},
		{"GET /hooks/functions", "", Hooks, "", "", false, nil},
		{"GET /health", "", Health, "", "", false, nil},
		{"GET /serverInfo", "", ServerInfo, "", "", false, nil},
		{"GET /apps/APP/verify_email?token=x", "", Page, "", "", true, user},
		{"OPTIONS /classes/Game", "", Preflight, "", "", false, nil},
		// the method in the body
		{"POST /classes/Game", `{"_method":"GET"}`, Find, "Game", "", false, nil},
		{"POST /classes/Game", `{"_method":"get","limit":1}`, Find, "Game", "", false, nil},
		{"POST /classes/Game", ` {"a":"\"}","_\u006dethod" : "G\u0045T" } `, Find, "Game", "", false, nil},
		{"POST /classes/Game", `{"_method":"PUT","_method":"GET"}`, Find, "Game", "", false, nil},
		{"POST /classes/Game", `{"_method":"GET","_method":"POST"}`, Create, "Game", "", true, []string{"Game"}},
		{"POST /classes/Game", `{"_method":"GET","_meth\u006fd":null}`, Create, "Game", "", true, []string{"Game"}},
		{"POST /classes/Game", `{"_method":{"a":"GET"}}`, Create, "Game", "", true, []string{"Game"}},
		{"POST /classes/Game", `{"_method":""}`, Create, "Game", "", true, []string{"Game"}},
		{"POST /classes/Game", `{"x":{"_method":"GET"}}`, Create, "Game", "", true, []string{"Game"}},
		{"POST /classes/Game/abc", `{"_method":"PUT","a":1}`, Update, "Game", "abc", true, []string{"Game"}},
		{"POST /classes/Game/abc", `{"_method":"DELETE"}`, Delete, "Game", "abc", true, []string{"Game"}},
		{"POST /users/me", `{"_method":"GET"}`, Me, "_User", "", false, nil},
		{"PUT /classes/Game/abc", `{"_method":"GET"}`, Update, "Game", "abc", true, []string{"Game"}},
		{"GET /classes/Game", `{"_method":"POST"}`, Find, "Game", "", false, nil},
		// what can't be read
		{"POST /classes/Game", `{"_method":"ge\u0074 "}`, Other, "", "", true, anyClass},
		{"POST /classes/Game", `{"_method":"poſt"}`, Other, "", "", true, anyClass},
		{"POST /classes/Game", `{"_method":"PATCH"}`, Other, "", "", true, anyClass},
		{"POST /classes/Game", `{"_method":"GET"`, Other, "", "", true, anyClass},
		{"POST /classes/Game", `{"_method":"GET"}x`, Other, "", "", true, anyClass},
		{"POST /classes/Game", "\xef\xbb\xbf" + `{"_method":"GET"}`, Other, "", "", true, anyClass},
		{"POST /classes/Game", `{"_method":"GET",}`, Other, "", "", true, anyClass},
		{"POST /classes/Game", `{"_method":"GET","a":[}]}`, Other, "", "", true, anyClass},
		{"POST /classes/Game", `{"_method":"GET","a":01}`, Other, "", "", true, anyClass},
		{"POST /classes/Game", `["_method","GET"]`, Other, "", "", true, anyClass},
		{"POST /classes/Game", strings.Repeat(`{"a":`, 300) + "1" + strings.Repeat("}", 300), Other, "", "", true, anyClass},
		{"POST /functions/hello", `{"_method":"GET"}`, Other, "", "", true, anyClass},
		{"PATCH /classes/Game", "", Other, "", "", true, anyClass},
		{"get /classes/Game", "", Other, "", "", true, anyClass},
		{"GET /nope", "", Other, "", "", true, anyClass},
		{"GET /", "", Other, "", "", true, anyClass},
		{"GET ", "", Other, "", "", true, anyClass},
		{"GET classes/Game", "", Other, "", "", true, anyClass},
		{"GET /classes", "", Other, "", "", true, anyClass},
		{"GET /classes//Game", "", Other, "", "", true, anyClass},
		{"GET /classes/Game//", "", Other, "", "", true, anyClass},
		{"GET /classes/Game/a/b", "", Other, "", "", true, anyClass},
		{"GET /classes/Game/a/b/c/d", "", Other, "", "", true, anyClass},
		{"GET /classes/../users", "", Other, "", "", true, anyClass},
		{"GET /cl%61sses/Game", "", Other, "", "", true, anyClass},
		{"POST /classes/Game/abc", `{}`, Other, "", "", true, anyClass},
		{"DELETE /classes/Game", ``, Other, "", "", true, anyClass},
		{"POST /classes/_Join:a:Game", `{}`, Create, "_Join:a:Game", "", true, anyClass},
		{"POST /classes/a%2fb", `{}`, Create, "a/b", "", true, anyClass},
		{"PUT /classes/Game/abc", `[]`, Update, "Game", "abc", true, anyClass},
	} {
		t.Run(test.target+" "+test.body[:min(len(test.body), 40)], func(t *testing.T) {
			r := Classify(ask(test.target, test.body, app))
			if r.Op != test.op || r.Class != test.class || r.ObjectID != test.id {
				t.Errorf("got %v %q %q, want %v %q %q", r.Op, r.Class, r.ObjectID, test.op, test.class, test.id)
			}
			if r.Write != test.write || !reflect.DeepEqual(r.Classes, test.classes) {
				t.Errorf("write %v of %#v, want %v of %#v", r.Write, r.Classes, test.write, test.classes)
			}
			if r.Cost != 1 {
				t.Errorf("cost %d", r.Cost)
			}
			if r.Write && r.Cacheable {
				t.Error("a cacheable write")
			}
		})
	}
}

func TestIncompleteBody(t *testing.T) {
	for _, test := range []struct {
		target  string
		op      Op
		classes []string
	}{
		{"POST /classes/Game", Other, nil},
		{"POST /functions/f", Other, nil},
		{"PUT /classes/Game/abc", Update, nil},
		{"DELETE /classes/Game/abc", Delete, []string{"Game"}},
		{"POST /files/a.bin", FileUpload, []string{}},
		{"POST /batch", Batch, nil},
	} {
		in := ask(test.target, `{"_method":"GET"}`, app)
		in.BodyComplete = false
		r := Classify(in)
		if r.Op != test.op || !r.Write || !reflect.DeepEqual(r.Classes, test.classes) || r.AppID != "APP" {
			t.Errorf("%s: %+v", test.target, r)
		}
	}
	in := ask("GET /classes/Game", "", app)
	in.BodyComplete = false
	if r := Classify(in); r.Cacheable || r.Write {
		t.Errorf("GET with an unread body: %+v", r)
	}
}

// What the Content-Type and Content-Encoding say decides whether the worker reads the same JSON.
func TestBodyEncodings(t *testing.T) {
	for _, test := range []struct {
		header string
		read   bool
	}{
		{"Content-Type: text/plain", true},
		{"Content-Type: text/plain;charset=UTF-8", true},
		{"Content-Type: application/json; charset=utf-8", true},
		{"Content-Type: Application/JSON ; charset=\"utf-8\"", true},
		{"Content-Encoding: identity", true},
		{"Content-Type: text/plain; charset=utf-16le", false},
		{"Content-Type: text/plain; charset=utf-7", false},
		{"Content-Type: multipart/form-data; boundary=x", false},
		{"Content-Type: application/x-www-form-urlencoded", false},
		{"Content-Type: image/png", false},
		{"Content-Type: ", false},
		{"Content-Encoding: gzip", false},
		{"Content-Encoding: ", false},
	} {
		t.Run(test.header, func(t *testing.T) {
			r := Classify(ask("POST /classes/Game", `{"_method":"GET"}`, app, test.header))
			if test.read != (r.Op == Find && !r.Write && r.Cacheable) {
				t.Errorf("%+v", r)
			}
			if !test.read && (r.Op != Other || r.Classes != nil) {
				t.Errorf("%+v", r)
			}
		})
	}
	for body, want := range map[string]Op{`{"_method":"GET"}`: Other, `{"a":1,"_SessionToken":"r:1"}`: Other, `{"a":1}`: Create} {
		without := ask("POST /classes/Game", body, app)
		delete(without.Header, "Content-Type")
		if r := Classify(without); r.Op != want || !r.Write || r.Doubtful != (want == Other) {
			t.Errorf("%s without a content type: %+v", body, r)
		}
	}
	r := Classify(ask("POST /classes/Game", `{"_method":"GET"}`, app, "Content-Type: text/plain", "Content-Type: multipart/form-data"))
	if r.Op != Other {
		t.Errorf("two content types: %+v", r)
	}
}

func TestCredentials(t *testing.T) {
	type want struct {
		app, session, javascript string
		privileged               bool
		why                      string
	}
	find := func(fields string) string { return `{"_method":"GET"` + fields + `}` }
	for _, test := range []struct {
		name   string
		body   string
		header []string
		want   want
	}{
		{"none", find(""), nil, want{"", "", "", false, whyApp}},
		{"header alone", "", []string{app, "X-Parse-Session-Token: r:1", "X-Parse-JavaScript-Key: js"}, want{"APP", "r:1", "js", false, ""}},
		{"body alone", find(`,"_ApplicationId":"APP","_SessionToken":"r:1","_JavaScriptKey":"js","_InstallationId":"i","_ClientVersion":"js5"`),
			nil, want{"APP", "r:1", "js", false, ""}},
		{"escapes in names and values", find(`,"_Applicati\u006fnId":"A\u0050P","_SessionToken":"r:\/"`), nil, want{"APP", "r:/", "", false, ""}},
		{"the last of repeated names", find(`,"_ApplicationId":"X","_ApplicationId":"APP"`), nil, want{"APP", "", "", false, ""}},
		{"session in the header, app in the body", find(`,"_ApplicationId":"APP"`), []string{"X-Parse-Session-Token: r:1"}, want{"APP", "r:1", "", false, ""}},
		{"session in both, the same", find(`,"_ApplicationId":"APP","_SessionToken":"r:1"`), []string{"X-Parse-Session-Token: r:1"}, want{"APP", "r:1", "", false, ""}},
		{"session in both, different", find(`,"_ApplicationId":"APP","_SessionToken":"r:2"`), []string{"X-Parse-Session-Token: r:1"}, want{"APP", "r:2", "", true, whyConflict}},
		{"JavaScript key that the worker forgets", find(`,"_ApplicationId":"APP"`), []string{"X-Parse-JavaScript-Key: js"}, want{"APP", "", "", true, whyConflict}},
		{"JavaScript keys differ", find(`,"_ApplicationId":"APP","_JavaScriptKey":"a"`), []string{"X-Parse-JavaScript-Key: b"}, want{"APP", "", "a", true, whyConflict}},
		{"app in both, the same", find(`,"_ApplicationId":"APP"`), []string{app}, want{"APP", "", "", false, whyTwice}},
		{"app in both, different", find(`,"_ApplicationId":"APP2"`), []string{app}, want{"APP", "", "", true, whyConflict}},
		{"app in the header, session in both, different", find(`,"_SessionToken":"r:2"`), []string{app, "X-Parse-Session-Token: r:1"}, want{"APP", "r:1", "", true, whyConflict}},
		{"app in the header, session in the body", find(`,"_SessionToken":"r:2"`), []string{app}, want{"APP", "", "", false, whyTwice}},
		{"session is no string", find(`,"_ApplicationId":"APP","_SessionToken":{}`), nil, want{"APP", "", "", false, whyCredentials}},
		{"session is empty", find(`,"_ApplicationId":"APP","_SessionToken":""`), nil, want{"APP", "", "", false, whyCredentials}},
		{"half a surrogate pair", find(`,"_ApplicationId":"APP","_SessionToken":"\ud800"`), nil, want{"APP", "", "", false, whyCredentials}},
		{"installation id is no string", find(`,"_ApplicationId":"APP","_InstallationId":1`), nil, want{"APP", "", "", false, whyCredentials}},
		{"master key in the header", "", []string{app, "X-Parse-Master-Key: m"}, want{"APP", "", "", true, whyPrivileged}},
		{"empty master key in the header", "", []string{app, "X-Parse-Master-Key: "}, want{"APP", "", "", true, whyPrivileged}},
		{"maintenance key in the header", "", []string{app, "X-Parse-Maintenance-Key: m"}, want{"APP", "", "", true, whyPrivileged}},
		{"other authorization", "", []string{"Authorization: Bearer QVBQOk0="}, want{"", "", "", true, whyPrivileged}},
		{"authorization of three parts", "", []string{"Authorization: Basic QVBQOmE6Yg=="}, want{"", "", "", true, whyPrivileged}},
		{"broken authorization", "", []string{"Authorization: Basic !"}, want{"", "", "", true, whyPrivileged}},
		{"authorization beside an app", "", []string{"Authorization: basic QVBQOk0=", "X-Parse-Application-Id: APP2"}, want{"APP2", "", "", true, whyPrivileged}},
		{"authorization", "", []string{"Authorization: basic QVBQOk0="}, want{"APP", "", "", true, whyPrivileged}},
		{"master key in the body", find(`,"_ApplicationId":"APP","_MasterKey":"m"`), nil, want{"APP", "", "", true, whyPrivileged}},
		{"master key in the body that isn't asked", find(`,"_MasterKey":"m"`), []string{app}, want{"APP", "", "", true, whyPrivileged}},
		{"escaped master key", find(`,"_ApplicationId":"APP","\u005fMasterKey":"m"`), nil, want{"APP", "", "", true, whyPrivileged}},
		{"context in the header", "", []string{app, "X-Parse-Cloud-Context: {}"}, want{"APP", "", "", false, whyContext}},
		{"context in the body", find(`,"_ApplicationId":"APP","_context":{}`), nil, want{"APP", "", "", false, whyContext}},
		{"a repeated session", "", []string{app, "X-Parse-Session-Token: r:1", "X-Parse-Session-Token: r:2"}, want{"APP", "r:1, r:2", "", false, whyRepeated}},
		{"a repeated origin", "", []string{app, "Origin: http://a", "Origin: http://b"}, want{"APP", "", "", false, whyRepeated}},
	} {
		t.Run(test.name, func(t *testing.T) {
			target := "GET /classes/Game"
			if test.body != "" {
				target = "POST /classes/Game"
			}
			r := Classify(ask(target, test.body, test.header...))
			got := want{r.AppID, r.Session, r.Keys.JavaScript, r.Privileged, r.Why}
			if got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
			if r.Cacheable != (test.want.why == "") {
				t.Errorf("cacheable %v", r.Cacheable)
			}
		})
	}
}

func TestCacheable(t *testing.T) {
	for _, test := range []struct {
		name         string
		target, body string
		header       string
		why          string
	}{
		{"find", "GET /classes/Game", "", "", ""},
		{"get", "GET /classes/Game/abc?include=owner", "", "", ""},
		{"users", "GET /users?limit=1", "", "", ""},
		{"a user", "GET /users/abc", "", "", ""},
		{"roles", "GET /roles/abc", "", "", ""},
		{"conditional", "GET /classes/Game", "", "If-None-Match: \"x\"", ""},
		{"no-cache", "GET /classes/Game", "", "Cache-Control: no-cache", ""},
		{"primary", "GET /classes/Game?readPreference=primary", "", "", ""},
		{"no-store", "GET /classes/Game", "", "Cache-Control: no-store", whyNoStore},
		{"HEAD", "HEAD /classes/Game", "", "", ""},
		{"range", "GET /classes/Game", "", "Range: bytes=0-1", whyRange},
		{"a write", "POST /classes/Game", "{}", "", whyWrite},
		{"sessions", "GET /sessions", "", "", whyClass},
		{"sessions by class", "GET /classes/_Session", "", "", whyClass},
		{"installations", "GET /installations/abc", "", "", whyClass},
		{"internal class", "GET /classes/_GlobalConfig", "", "", whyClass},
		{"join", "GET /classes/_Join:a:B", "", "", whyPath},
		{"me", "GET /users/me", "", "", whyOp},
		{"config", "GET /config", "", "", whyOp},
		{"file", "GET /files/APP/x", "", "", whyOp},
		{"odd object id", "GET /classes/Game/a%20b", "", "", whyPath},
		{"object id with a slash", "GET /classes/Game/a%2Fb", "", "", whyPath},
		{"broken escape in the path", "GET /classes/Game/a%zz", "", "", whyPath},
		{"dots for an id", "GET /classes/Game/%2e%2e", "", "", whyPath},
		{"body with GET", "GET /classes/Game", `{"limit":1}`, "", whyExtra},
		{"query string with a body", "POST /classes/Game?limit=1", `{"_method":"GET"}`, "", whyExtra},
		{"unknown parameter", "GET /classes/Game?foo=1", "", "", whyParameters},
		{"find's parameter in a get", "GET /classes/Game/abc?where=%7B%7D", "", "", whyParameters},
		{"repeated parameter", "GET /classes/Game?limit=1&limit=2", "", "", whyParameters},
		{"brackets", "GET /classes/Game?where[a]=1", "", "", whyParameters},
		{"encoded brackets", "GET /classes/Game?where%5Ba%5D=1", "", "", whyParameters},
		{"broken escape", "GET /classes/Game?where=%", "", "", whyParameters},
		{"where that isn't JSON", "GET /classes/Game?where=x", "", "", whyParameters},
		{"empty value", "GET /classes/Game?where=", "", "", whyParameters},
		{"broken UTF-8", "GET /classes/Game?where=%7B%22a%22%3A%22%ff%22%7D", "", "", whyParameters},
		{"broken UTF-8 in the body", "POST /classes/Game", "{\"_method\":\"GET\",\"where\":{\"a\":\"\xff\"}}", "", whyParameters},
		{"underscore that isn't a credential", "POST /classes/Game", `{"_method":"GET","_foo":1}`, "", whyParameters},
		{"many parameters", "POST /classes/Game", `{"_method":"GET","a":1,"b":1,"c":1,"d":1,"e":1,"f":1,"g":1,"h":1,"i":1,"j":1,"k":1,"l":1,"m":1,"n":1,"o":1,"p":1,"q":1,"r":1,"s":1,"t":1,"u":1}`, "", whyParameters},
		{"explain", "GET /classes/Game?explain=true", "", "", whyExplain},
		{"redirect", "GET /classes/Game?redirectClassNameForKey=x", "", "", whyRedirect},
		{"secondary", "GET /classes/Game?readPreference=SECONDARY", "", "", whyPreference},
		{"secondary for includes", "POST /classes/Game", `{"_method":"GET","includeReadPreference":"nearest"}`, "", whyPreference},
		{"relative time", "POST /classes/Game", `{"_method":"GET","where":{"d":{"$gt":{"$relativeTime":"1 day ago"}}}}`, "", whyTime},
		{"escaped relative time", "POST /classes/Game", `{"_method":"GET","where":{"d":{"$gt":{"$relati\u0076eTime":"1 day ago"}}}}`, "", whyTime},
		{"relative time in a query string", "GET /classes/Game?where=%7B%22d%22%3A%7B%22%24gt%22%3A%7B%22%24relativeTime%22%3A%221+day+ago%22%7D%7D%7D", "", "", whyTime},
		{"relative time in a sub-query", "POST /classes/Game",
			`{"_method":"GET","where":{"p":{"$inQuery":{"className":"A","where":{"d":{"$lt":{"$relativeTime":"now"}}}}}}}`, "", whyTime},
	} {
		t.Run(test.name, func(t *testing.T) {
			header := []string{app}
			if test.header != "" {
				header = append(header, test.header)
			}
			r := Classify(ask(test.target, test.body, header...))
			if r.Why != test.why || r.Cacheable != (test.why == "") {
				t.Errorf("cacheable %v, why %q, want %q", r.Cacheable, r.Why, test.why)
			}
			if r.Cacheable && (r.Query == nil || r.Key(r.Token()) == Key{}) {
				t.Error("cacheable without a key")
			}
		})
	}
}

func TestCacheControl(t *testing.T) {
	for _, test := range []struct {
		header           string
		noCache, noStore bool
		maxAge           time.Duration
		only             bool
	}{
		{"Cache-Control: no-cache", true, false, 0, false},
		{"Cache-Control: max-age=0", true, false, 0, false},
		{"Cache-Control: Max-Age=\"0\"", true, false, 0, false},
		{"Cache-Control: private, NO-CACHE", true, false, 0, false},
		{"Cache-Control: min-fresh=5", true, false, 0, false},
		{"Pragma: no-cache", true, false, 0, false},
		{"Cache-Control: no-cache, no-store", true, true, 0, false},
		{"Cache-Control: max-age=10", false, false, 10 * time.Second, false},
		{"Cache-Control: max-age=10, max-age=5", false, false, 5 * time.Second, false},
		{"Cache-Control: max-age=-1", true, false, 0, false},
		{"Cache-Control: max-age=99999999999999999999", true, false, 0, false},
		{"Cache-Control: only-if-cached", false, false, 0, true},
		{"Pragma: only-if-cached", false, false, 0, false},
		{"Cache-Control: max-stale", false, false, 0, false},
		{"Cache-Control: x-no-cache=1", false, false, 0, false},
		{"Pragma: no-store", false, false, 0, false},
		{"Cache-Control: ", false, false, 0, false},
	} {
		r := Classify(ask("GET /classes/Game", "", app, test.header))
		if r.NoCache != test.noCache || r.NoStore != test.noStore || r.MaxAge != test.maxAge || r.OnlyIfCached != test.only {
			t.Errorf("%s: NoCache %v, NoStore %v, MaxAge %v, OnlyIfCached %v", test.header, r.NoCache, r.NoStore, r.MaxAge, r.OnlyIfCached)
		}
	}
	if r := Classify(ask("GET /classes/Game", "", app, "Cache-Control: max-age=10", "Pragma: no-cache")); r.NoCache {
		t.Error("Pragma counts beside Cache-Control")
	}
}

func TestOpNames(t *testing.T) {
	for op := range Ops {
		if got, ok := ParseOp(op.String()); !ok || got != op {
			t.Errorf("%d is %q, which is %d", op, op, got)
		}
	}
	if _, ok := ParseOp("nope"); ok {
		t.Error("nope is an operation")
	}
}

// TestDoubtful lists requests of which a worker may see other credentials than the gateway.
func TestDoubtful(t *testing.T) {
	app := "X-Parse-Application-Id"
	for _, c := range []struct {
		name, body string
		header     http.Header
		want       bool
	}{
		{"header alone", "", http.Header{app: {"APP"}}, false},
		{"header, and a body without credentials", `{"_method":"GET","a":1}`, http.Header{app: {"APP"}}, false},
		{"body alone", `{"_ApplicationId":"APP","_SessionToken":"r:1"}`, nil, false},
		{"both, the same app", `{"_ApplicationId":"APP"}`, http.Header{app: {"APP"}}, true},
		{"both, different apps", `{"_ApplicationId":"APP2"}`, http.Header{app: {"APP"}}, true},
		{"a session in the body", `{"_SessionToken":"r:1"}`, http.Header{app: {"APP"}}, true},
		{"different sessions", `{"_ApplicationId":"APP","_SessionToken":"r:1"}`, http.Header{"X-Parse-Session-Token": {"r:2"}}, true},
		{"an app that isn't text", `{"_ApplicationId":["APP"]}`, nil, true},
		{"a body that can't be read", `{`, http.Header{app: {"APP"}}, true},
	} {
		header := http.Header{"Content-Type": {"text/plain"}}
		maps.Copy(header, c.header)
		r := Classify(Input{Method: "POST", Path: "/classes/A", Header: header, Body: []byte(c.body), BodyComplete: true, Mount: "/parse"})
		if r.Doubtful != c.want {
			t.Errorf("%s: doubtful %v, want %v", c.name, r.Doubtful, c.want)
		}
	}
}
