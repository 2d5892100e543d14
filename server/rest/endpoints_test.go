package rest_test

import (
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/parsescale/parsescale/server"
	"github.com/parsescale/parsescale/server/config"
)

const (
	unauthorized = `{"error":"unauthorized"}`
	denied       = `{"error":"Permission denied"}`
	corsHeaders  = "X-Parse-Master-Key, X-Parse-REST-API-Key, X-Parse-Javascript-Key, X-Parse-Application-Id, X-Parse-Client-Version, X-Parse-Session-Token, X-Requested-With, X-Parse-Revocable-Session, X-Parse-Request-Id, Content-Type, Pragma, Cache-Control"
)

func TestTransport(t *testing.T) {
	w := start(t, server.Environment{}, nil)
	cors := map[string]string{
		"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Methods": "GET,PUT,POST,DELETE,OPTIONS",
		"Access-Control-Allow-Headers": corsHeaders, "Access-Control-Expose-Headers": "X-Parse-Job-Status-Id, X-Parse-Push-Status-Id",
		"X-Powered-By": "", "Vary": "",
	}
	w.run([]Scenario{
		{Name: "health", Method: "GET", Path: "/health", Status: 200, Exact: `{"status":"ok"}`, WantHeaders: cors},
		{Name: "options needs no app", Method: "OPTIONS", Path: "/classes/A", Status: 200, Exact: "OK", WantHeaders: cors},
		{Name: "CORS on errors", Method: "GET", Path: "/classes/A", Status: 403, Exact: unauthorized, WantHeaders: cors},
		{Name: "CORS on files", Method: "GET", Path: "/files/APP/x", Status: 404, Exact: "File not found.", WantHeaders: cors},
		{Name: "unknown route", Method: "GET", Path: "/nope", Headers: app(), Status: 404, Has: []string{"<pre>Cannot GET /parse/nope</pre>"}, WantHeaders: map[string]string{"Content-Type": "text/html; charset=utf-8"}},
		{Name: "unknown route without app", Method: "GET", Path: "/nope", Status: 403, Exact: unauthorized},
		{Name: "unknown method", Method: "PATCH", Path: "/classes/A", Headers: app(), Status: 404, Has: []string{"Cannot PATCH /parse/classes/A"}},
		{Name: "method that the class has not", Method: "PUT", Path: "/classes/A", Body: "{}", Headers: app(), Status: 404, Has: []string{"Cannot PUT"}},
		{Name: "the page escapes", Method: "GET", Path: "/<script>", Headers: app(), Status: 404, Has: []string{"%3Cscript%3E"}},
		{Name: "overridden method is escaped", Method: "POST", Path: "/classes/A", Body: `{"_method":"<b>"}`, Headers: app(), Status: 404, Has: []string{"Cannot &lt;B&gt; /parse/classes/A"}},
		{Name: "either case and a slash", Method: "GET", Path: "/CLASSES/A/", Headers: app(), Status: 200, Exact: `{"results":[]}`},
		{Name: "double slash", Method: "GET", Path: "//classes/A", Headers: app(), Status: 200, Exact: `{"results":[]}`},
		{Name: "three slashes", Method: "GET", Path: "///classes/A", Headers: app(), Status: 404},
		{Name: "HEAD", Method: "HEAD", Path: "/classes/A", Headers: app(), Status: 200, WantHeaders: map[string]string{"Content-Length": "14"}},
		{Name: "JSON type", Method: "GET", Path: "/classes/A", Headers: app(), Status: 200, WantHeaders: map[string]string{"Content-Type": "application/json; charset=utf-8"}},
		{Name: "undecodable parameter", Method: "GET", Path: "/classes/%ff", Headers: app(), Status: 400, Exact: `{"error":"Failed to decode param '%ff'"}`},
		{Name: "context in the header", Method: "GET", Path: "/classes/A", Headers: app("X-Parse-Cloud-Context", `{"a":1}`), Status: 200},
		{Name: "context of a wrong type", Method: "GET", Path: "/classes/A", Headers: app("X-Parse-Cloud-Context", `[1]`), Status: 400, Exact: `{"code":107,"error":"Invalid object for context."}`},
		{Name: "serverInfo", Method: "GET", Path: "/serverInfo", Headers: master(), Status: 200, Subset: `{"parseServerVersion":"9.10.0"}`},
		{Name: "serverInfo without the key", Method: "GET", Path: "/serverInfo", Headers: app(), Status: 403, Exact: denied},
	})
	res := w.do("GET", "/health", "", nil)
	sum := sha1.Sum([]byte(res.body))
	if want := fmt.Sprintf(`W/"%x-%s"`, len(res.body), base64.StdEncoding.EncodeToString(sum[:])[:27]); res.header.Get("ETag") != want {
		t.Errorf("ETag %s, want %s", res.header.Get("ETag"), want)
	}
	outside := *w
	outside.base = strings.TrimSuffix(w.base, "/parse")
	outside.run([]Scenario{
		{Name: "beside the mount", Method: "GET", Path: "/parsex/classes/A", Headers: app(), Status: 404, Has: []string{"Cannot GET /parsex/classes/A"}},
		{Name: "outside of the mount", Method: "GET", Path: "/classes/A", Headers: app(), Status: 404},
		{Name: "mount in either case", Method: "GET", Path: "/PARSE/classes/A", Headers: app(), Status: 200},
	})
}

func TestConditionalGet(t *testing.T) {
	w := start(t, server.Environment{}, nil)
	tag := w.do("GET", "/classes/A", "", app()).header.Get("ETag")
	w.run([]Scenario{
		{Name: "same", Method: "GET", Path: "/classes/A", Headers: app("If-None-Match", tag), Status: 304, WantHeaders: map[string]string{"ETag": tag, "Content-Type": ""}},
		{Name: "strong form", Method: "GET", Path: "/classes/A", Headers: app("If-None-Match", `"x", `+strings.TrimPrefix(tag, "W/")), Status: 304},
		{Name: "any", Method: "GET", Path: "/classes/A", Headers: app("If-None-Match", "*"), Status: 304},
		{Name: "other", Method: "GET", Path: "/classes/A", Headers: app("If-None-Match", `W/"x"`), Status: 200},
		{Name: "no-cache", Method: "GET", Path: "/classes/A", Headers: app("If-None-Match", tag, "Cache-Control", "no-cache"), Status: 200},
		{Name: "not on POST", Method: "POST", Path: "/classes/A", Body: `{"_method":"GET"}`, Headers: app("If-None-Match", tag), Status: 200},
		{Name: "not on errors", Method: "GET", Path: "/classes/A", Headers: map[string]string{"If-None-Match": "*"}, Status: 403},
	})
}

func TestOrigins(t *testing.T) {
	w := start(t, server.Environment{}, func(o *config.Options) {
		o.AllowOrigin, o.AllowHeaders = []string{"https://a.example", "https://b.example"}, []string{"X-Own"}
	})
	for origin, want := range map[string]string{"": "https://a.example", "https://b.example": "https://b.example", "https://evil.example": "https://a.example"} {
		res := w.do("OPTIONS", "/classes/A", "", map[string]string{"Origin": origin})
		if got := res.header.Get("Access-Control-Allow-Origin"); got != want {
			t.Errorf("origin %q: %q, want %q", origin, got, want)
		}
		if got := res.header.Get("Access-Control-Allow-Headers"); got != corsHeaders+", X-Own" {
			t.Errorf("headers %q", got)
		}
	}
}

func TestObjects(t *testing.T) {
	w := start(t, server.Environment{}, nil)
	created := w.do("POST", "/classes/Game", `{"score":1,"name":"a"}`, app())
	id := member(t, created.body, "objectId")
	if want := w.base + "/classes/Game/" + id; created.status != 201 || created.header.Get("Location") != want {
		t.Fatalf("status %d, Location %q, want %q", created.status, created.header.Get("Location"), want)
	}
	w.run([]Scenario{
		{Name: "get", Method: "GET", Path: "/classes/Game/" + id, Headers: app(), Status: 200, Subset: `{"objectId":"` + id + `","score":1,"name":"a"}`},
		{Name: "get with keys", Method: "GET", Path: "/classes/Game/" + id + "?keys=name", Headers: app(), Status: 200, Subset: `{"name":"a"}`},
		{Name: "get with a parameter of find", Method: "GET", Path: "/classes/Game/" + id + "?where=%7B%7D", Headers: app(), Status: 400, Exact: `{"code":102,"error":"Improper encode of parameter"}`},
		{Name: "update", Method: "PUT", Path: "/classes/Game/" + id, Body: `{"score":{"__op":"Increment","amount":2}}`, Headers: app(), Status: 200, Subset: `{"score":3}`},
		{Name: "find by the query string", Method: "GET", Path: `/classes/Game?where=%7B%22score%22%3A3%7D&limit=1`, Headers: app(), Status: 200, Subset: `{"results":[{"score":3}]}`},
		{Name: "find by brackets", Method: "GET", Path: `/classes/Game?where[name][$ne]=b&keys=name`, Headers: app(), Status: 200, Subset: `{"results":[{"name":"a"}]}`},
		{Name: "repeated keys", Method: "GET", Path: `/classes/Game?keys=name&keys=score`, Headers: app(), Status: 200, Subset: `{"results":[{"name":"a","score":3}]}`},
		{Name: "find by POST", Method: "POST", Path: `/classes/Game`, Body: `{"_method":"GET","where":{"score":{"$gt":2}},"count":1,"limit":0}`, Headers: app(), Status: 200, Exact: `{"results":[],"count":1}`},
		{Name: "find by the form of the SDK", Method: "POST", Path: `/classes/Game`, Body: `{"_method":"GET","where":{"score":3},"keys":"name","_ApplicationId":"APP","_ClientVersion":"js8.6.0","_InstallationId":"i"}`, Headers: map[string]string{"Content-Type": "text/plain"}, Status: 200, Subset: `{"results":[{"name":"a"}]}`},
		{Name: "the query string wins over the body", Method: "POST", Path: `/classes/Game?limit=0`, Body: `{"_method":"GET","limit":5}`, Headers: app(), Status: 200, Exact: `{"results":[]}`},
		{Name: "create from a form", Method: "POST", Path: "/classes/Form", Body: "a=1&b=x+y", Headers: app("Content-Type", "application/x-www-form-urlencoded"), Status: 201},
		{Name: "the form's values are strings", Method: "GET", Path: "/classes/Form?keys=a,b", Headers: app(), Status: 200, Subset: `{"results":[{"a":"1","b":"x y"}]}`},
		{Name: "delete by the form of the SDK", Method: "POST", Path: "/classes/Game/" + id, Body: `{"_method":"DELETE","_ApplicationId":"APP"}`, Status: 200, Exact: `{}`},
		{Name: "gone", Method: "GET", Path: "/classes/Game/" + id, Headers: app(), Status: 404, Exact: `{"code":101,"error":"Object not found."}`},
		{Name: "schemas", Method: "GET", Path: "/schemas", Headers: master(), Status: 200, Has: []string{`"className":"Game"`, `"className":"_User"`}},
		{Name: "schema", Method: "GET", Path: "/schemas/Form", Headers: master(), Status: 200, Exact: `{"className":"Form","fields":{"objectId":{"type":"String"},"createdAt":{"type":"Date"},"updatedAt":{"type":"Date"},"ACL":{"type":"ACL"},"a":{"type":"String"},"b":{"type":"String"}},"classLevelPermissions":{"ACL":{"*":{"read":true,"write":true}},"find":{"*":true},"get":{"*":true},"count":{"*":true},"create":{"*":true},"update":{"*":true},"delete":{"*":true},"addField":{"*":true},"protectedFields":{"*":[]}}}`},
		{Name: "no such schema", Method: "GET", Path: "/schemas/Nope", Headers: master(), Status: 400, Exact: `{"code":103,"error":"Class Nope does not exist."}`},
		{Name: "schemas without the key", Method: "GET", Path: "/schemas", Headers: app(), Status: 403, Exact: denied},
		{Name: "installations can't be listed", Method: "GET", Path: "/installations", Headers: app(), Status: 400, Subset: `{"code":119}`},
		{Name: "installations of the master key", Method: "GET", Path: "/installations", Headers: master(), Status: 200, Exact: `{"results":[]}`},
		{Name: "role", Method: "POST", Path: "/roles", Body: `{"name":"Admin","ACL":{"*":{"read":true}}}`, Headers: master(), Status: 201},
		{Name: "roles", Method: "GET", Path: "/roles?keys=name", Headers: app(), Status: 200, Subset: `{"results":[{"name":"Admin"}]}`},
	})
}

func TestUsers(t *testing.T) {
	w := start(t, server.Environment{}, nil)
	signUp := w.do("POST", "/users", `{"username":"ann","password":"pw","email":"ann@x.io"}`, app())
	id, token := member(t, signUp.body, "objectId"), member(t, signUp.body, "sessionToken")
	if want := w.base + "/users/" + id; signUp.status != 201 || signUp.header.Get("Location") != want {
		t.Fatalf("status %d, Location %q, want %q", signUp.status, signUp.header.Get("Location"), want)
	}
	ann := app("X-Parse-Session-Token", token)
	bad := app("X-Parse-Session-Token", "r:00000000000000000000000000000000")
	invalid := `{"code":209,"error":"Invalid session token"}`
	w.run([]Scenario{
		{Name: "me", Method: "GET", Path: "/users/me", Headers: ann, Status: 200, Subset: `{"username":"ann","email":"ann@x.io","sessionToken":"` + token + `"}`},
		{Name: "me by the form of the SDK", Method: "POST", Path: "/users/me", Body: `{"_method":"GET","_ApplicationId":"APP","_SessionToken":"` + token + `"}`, Status: 200, Subset: `{"objectId":"` + id + `"}`},
		{Name: "me without a session", Method: "GET", Path: "/users/me", Headers: app(), Status: 400, Subset: `{"code":209}`},
		{Name: "me with a bad session", Method: "GET", Path: "/users/me", Headers: bad, Status: 400, Exact: invalid},
		{Name: "bad session on a find", Method: "GET", Path: "/classes/A", Headers: bad, Status: 400, Exact: invalid},
		{Name: "bad session on an unknown route", Method: "GET", Path: "/nope", Headers: bad, Status: 400, Exact: invalid},
		{Name: "bad session on a batch", Method: "POST", Path: "/batch", Body: `{"requests":[]}`, Headers: bad, Status: 400, Exact: invalid},
		{Name: "bad session with the master key", Method: "GET", Path: "/classes/A", Headers: master("X-Parse-Session-Token", "r:x"), Status: 200},
		{Name: "bad session on a log-in", Method: "POST", Path: "/Login/", Body: `{"username":"ann","password":"pw"}`, Headers: bad, Status: 200},
		{Name: "log-in by the query string", Method: "GET", Path: "/login?username=ann&password=pw", Headers: app(), Status: 200, Subset: `{"objectId":"` + id + `"}`},
		{Name: "log-in by the body", Method: "POST", Path: "/login", Body: `{"email":"ann@x.io","password":"pw"}`, Headers: app(), Status: 200, Subset: `{"objectId":"` + id + `"}`},
		{Name: "log-in by the form of the SDK", Method: "POST", Path: "/login", Body: `{"_method":"GET","username":"ann","password":"pw","_ApplicationId":"APP"}`, Status: 200, Subset: `{"objectId":"` + id + `"}`},
		{Name: "wrong password", Method: "POST", Path: "/login", Body: `{"username":"ann","password":"no"}`, Headers: app(), Status: 404, Exact: `{"code":101,"error":"Invalid username/password."}`},
		{Name: "operator as a name", Method: "POST", Path: "/login", Body: `{"username":{"$ne":1},"password":"pw"}`, Headers: app(), Status: 404, Exact: `{"code":101,"error":"Invalid username/password."}`},
		{Name: "operator as a name in the query string", Method: "GET", Path: "/login?username[$ne]=1&password=pw", Headers: app(), Status: 404, Exact: `{"code":101,"error":"Invalid username/password."}`},
		{Name: "no name", Method: "POST", Path: "/login", Body: `{"password":"pw"}`, Headers: app(), Status: 400, Exact: `{"code":200,"error":"username/email is required."}`},
		{Name: "no password", Method: "POST", Path: "/login", Body: `{"username":"ann"}`, Headers: app(), Status: 400, Exact: `{"code":201,"error":"password is required."}`},
		{Name: "verifyPassword", Method: "POST", Path: "/verifyPassword", Body: `{"username":"ann","password":"pw"}`, Headers: app(), Status: 200, Subset: `{"objectId":"` + id + `"}`},
		{Name: "verifyPassword, wrong", Method: "GET", Path: "/verifyPassword?username=ann&password=no", Headers: app(), Status: 404, Subset: `{"code":101}`},
		{Name: "loginAs", Method: "POST", Path: "/loginAs", Body: `{"userId":"` + id + `"}`, Headers: master(), Status: 200, Subset: `{"objectId":"` + id + `"}`},
		{Name: "loginAs by the query string", Method: "POST", Path: "/loginAs?userId=" + id, Headers: master(), Status: 200, Subset: `{"objectId":"` + id + `"}`},
		{Name: "loginAs without the key", Method: "POST", Path: "/loginAs", Body: `{"userId":"` + id + `"}`, Headers: app(), Status: 400, Exact: `{"code":119,"error":"Permission denied"}`},
		{Name: "loginAs of nobody", Method: "POST", Path: "/loginAs", Body: `{"userId":"x"}`, Headers: master(), Status: 404, Exact: `{"code":101,"error":"user not found"}`},
		{Name: "loginAs without an id", Method: "POST", Path: "/loginAs", Body: `{}`, Headers: master(), Status: 400, Exact: `{"code":162,"error":"userId must not be empty, null, or undefined"}`},
		{Name: "current session", Method: "GET", Path: "/sessions/me", Headers: ann, Status: 200, Subset: `{"sessionToken":"` + token + `"}`},
		{Name: "current session, none", Method: "GET", Path: "/sessions/me", Headers: app(), Status: 400, Subset: `{"code":209}`},
		{Name: "own sessions", Method: "GET", Path: "/sessions", Headers: ann, Status: 200},
		{Name: "nobody's sessions", Method: "GET", Path: "/sessions", Headers: app(), Status: 400, Subset: `{"code":209}`},
		{Name: "log-out", Method: "POST", Path: "/logout", Headers: ann, Status: 200, Exact: `{}`},
		{Name: "logged out", Method: "GET", Path: "/users/me", Headers: ann, Status: 400, Exact: invalid},
		{Name: "log-out of nobody", Method: "POST", Path: "/logout", Headers: app(), Status: 200, Exact: `{}`},
	})
}

func TestFilesOverHTTP(t *testing.T) {
	w := start(t, server.Environment{}, func(o *config.Options) {
		o.MaxUploadSize, o.ReadOnlyMasterKey = 1000, "RO"
	})
	up := w.do("POST", "/files/hello.txt", "hello world", master("Content-Type", "text/plain"))
	name, at := member(t, up.body, "name"), member(t, up.body, "url")
	if up.status != 201 || up.header.Get("Location") != at || at != w.base+"/files/APP/"+name || !strings.HasSuffix(name, "_hello.txt") {
		t.Fatalf("status %d, body %s, Location %s", up.status, up.body, up.header.Get("Location"))
	}
	encoded := base64.StdEncoding.EncodeToString([]byte("from the SDK"))
	user := member(t, w.do("POST", "/users", `{"username":"u","password":"p"}`, app()).body, "sessionToken")
	anonymous := member(t, w.do("POST", "/users", `{"authData":{"anonymous":{"id":"1"}}}`, app()).body, "sessionToken")
	sdk := func(more string) string {
		return `{"base64":"` + encoded + `","_ContentType":"text/plain","_ApplicationId":"APP","fileData":{}` + more + `}`
	}
	path := "/files/APP/" + name
	w.run([]Scenario{
		{Name: "download", Method: "GET", Path: path, Status: 200, Exact: "hello world", WantHeaders: map[string]string{"Content-Type": "text/plain; charset=utf-8", "X-Content-Type-Options": "nosniff", "Content-Length": "11"}},
		{Name: "range", Method: "GET", Path: path, Headers: map[string]string{"Range": "bytes=6-8"}, Status: 206, Exact: "wor", WantHeaders: map[string]string{"Content-Range": "bytes 6-8/11"}},
		{Name: "open range", Method: "GET", Path: path, Headers: map[string]string{"Range": "bytes=6-"}, Status: 206, Exact: "world"},
		{Name: "bad range", Method: "GET", Path: path, Headers: map[string]string{"Range": "bytes=90-"}, Status: 416},
		{Name: "nonsense range", Method: "GET", Path: path, Headers: map[string]string{"Range": "bytes=-"}, Status: 416},
		{Name: "head", Method: "HEAD", Path: path, Status: 200, WantHeaders: map[string]string{"Content-Length": "11"}},
		{Name: "missing", Method: "GET", Path: "/files/APP/nope.txt", Status: 404, Exact: "File not found.", WantHeaders: map[string]string{"Content-Type": "text/plain; charset=utf-8"}},
		{Name: "wrong app", Method: "GET", Path: "/files/NOPE/" + name, Status: 403, Exact: denied},
		{Name: "bad session", Method: "GET", Path: path, Headers: map[string]string{"X-Parse-Session-Token": "r:x"}, Status: 400, Subset: `{"code":209}`},
		{Name: "traversal", Method: "GET", Path: "/files/APP/..%2f..%2fparse.db", Status: 404, Exact: "File not found."},
		{Name: "traversal in plain", Method: "GET", Path: "/files/APP/%2e%2e/%2e%2e/parse.db", Status: 404, Exact: "File not found."},
		{Name: "the database beside the files", Method: "GET", Path: "/files/APP/../parse.db", Status: 404, Exact: "File not found."},
		{Name: "metadata", Method: "GET", Path: "/files/APP/metadata/" + name, Status: 200, Exact: "{}"},
		{Name: "public upload", Method: "POST", Path: "/files/a.txt", Body: "x", Headers: app(), Status: 400, Exact: `{"code":130,"error":"File upload by public is disabled."}`},
		{Name: "anonymous upload", Method: "POST", Path: "/files/a.txt", Body: "x", Headers: app("X-Parse-Session-Token", anonymous), Status: 400, Exact: `{"code":130,"error":"File upload by anonymous user is disabled."}`},
		{Name: "user's upload", Method: "POST", Path: "/files/a.txt", Body: "x", Headers: app("X-Parse-Session-Token", user), Status: 201},
		{Name: "user's HTML", Method: "POST", Path: "/files/a.html", Body: "x", Headers: app("X-Parse-Session-Token", user), Status: 400, Exact: `{"code":130,"error":"File upload of extension html is disabled."}`},
		{Name: "user's SVG by type", Method: "POST", Path: "/files/a", Body: "x", Headers: app("X-Parse-Session-Token", user, "Content-Type", "image/svg+xml"), Status: 400, Exact: `{"code":130,"error":"File upload of extension svg+xml is disabled."}`},
		{Name: "user's odd type", Method: "POST", Path: "/files/a", Body: "x", Headers: app("X-Parse-Session-Token", user, "Content-Type", ";text/html"), Status: 400, Exact: `{"code":130,"error":"Invalid Content-Type."}`},
		{Name: "user's file by the SDK", Method: "POST", Path: "/files/a.txt", Body: sdk(`,"_SessionToken":"` + user + `"`), Status: 201},
		{Name: "user's SVG by the SDK", Method: "POST", Path: "/files/a", Body: strings.Replace(sdk(`,"_SessionToken":"`+user+`"`), "text/plain", "image/svg+xml", 1), Status: 400, Subset: `{"code":130}`},
		{Name: "public file by the SDK", Method: "POST", Path: "/files/a.txt", Body: sdk(""), Status: 400, Exact: `{"code":130,"error":"File upload by public is disabled."}`},
		{Name: "SDK without an app", Method: "POST", Path: "/files/a.txt", Body: `{"base64":"eA=="}`, Status: 403, Exact: unauthorized},
		{Name: "SDK with no text", Method: "POST", Path: "/files/a.txt", Body: `{"base64":{"x":1},"_ApplicationId":"APP","_MasterKey":"MASTER"}`, Status: 403, Exact: unauthorized},
		{Name: "no app", Method: "POST", Path: "/files/a.txt", Body: "x", Status: 403, Exact: unauthorized},
		{Name: "no name", Method: "POST", Path: "/files", Body: "x", Headers: master(), Status: 400, Exact: `{"code":122,"error":"Filename not provided."}`},
		{Name: "long name", Method: "POST", Path: "/files/" + strings.Repeat("a", 129), Body: "x", Headers: master(), Status: 400, Exact: `{"code":122,"error":"Filename too long."}`},
		{Name: "bad name", Method: "POST", Path: "/files/.htaccess", Body: "x", Headers: master(), Status: 400, Exact: `{"code":122,"error":"Filename contains invalid characters."}`},
		{Name: "name with an escaped slash", Method: "POST", Path: "/files/a%2fb.txt", Body: "x", Headers: master(), Status: 400, Subset: `{"code":122}`},
		{Name: "read-only master key", Method: "POST", Path: "/files/a.txt", Body: "x", Headers: app("X-Parse-Master-Key", "RO"), Status: 403, Exact: denied},
		{Name: "too large", Method: "POST", Path: "/files/a.txt", Body: strings.Repeat("x", 1001), Headers: master(), Status: 413, Exact: `{"error":"request entity too large"}`},
		{Name: "as large as allowed", Method: "POST", Path: "/files/a.txt", Body: strings.Repeat("x", 1000), Headers: master(), Status: 201},
		{Name: "too large a stream", Method: "POST", Path: "/files/a.txt", Body: strings.Repeat("x", 1001), Headers: master("X-Parse-Upload-Mode", "stream"), Status: 400, Exact: `{"code":130,"error":"File size exceeds maximum allowed: 1000 bytes."}`},
		{Name: "raised limit", Method: "POST", Path: "/files/a.txt", Body: strings.Repeat("x", 1001), Headers: master("X-Parse-File-Max-Upload-Size", "2kb"), Status: 201},
		{Name: "raised limit without the key", Method: "POST", Path: "/files/a.txt", Body: "x", Headers: app("X-Parse-File-Max-Upload-Size", "2kb"), Status: 403, Exact: denied},
		{Name: "raised limit that is none", Method: "POST", Path: "/files/a.txt", Body: "x", Headers: master("X-Parse-File-Max-Upload-Size", "lots"), Status: 400, Subset: `{"code":130}`},
		{Name: "directory", Method: "POST", Path: "/files/a.txt", Body: "x", Headers: master("X-Parse-Upload-Mode", "stream", "X-Parse-File-Directory", "d/e"), Status: 201, Has: []string{`"name":"d/e/`}},
		{Name: "directory that leads out", Method: "POST", Path: "/files/a.txt", Body: "x", Headers: master("X-Parse-Upload-Mode", "stream", "X-Parse-File-Directory", "../e"), Status: 400, Exact: `{"code":122,"error":"Directory must not contain \"..\"."}`},
		{Name: "user's directory", Method: "POST", Path: "/files/a.txt", Body: "x", Headers: app("X-Parse-Session-Token", user, "X-Parse-Upload-Mode", "stream", "X-Parse-File-Directory", "d"), Status: 400, Exact: `{"code":119,"error":"Directory can only be set using the Master Key."}`},
		{Name: "metadata that isn't JSON", Method: "POST", Path: "/files/a.txt", Body: "x", Headers: master("X-Parse-Upload-Mode", "stream", "X-Parse-File-Metadata", "x"), Status: 400, Subset: `{"code":107}`},
		{Name: "delete without the key", Method: "DELETE", Path: "/files/" + name, Headers: app(), Status: 403, Exact: denied},
		{Name: "delete with the read-only key", Method: "DELETE", Path: "/files/" + name, Headers: app("X-Parse-Master-Key", "RO"), Status: 403, Exact: denied},
		{Name: "delete of nothing", Method: "DELETE", Path: "/files/nope", Headers: master(), Status: 400, Exact: `{"code":153,"error":"Could not delete file."}`},
		{Name: "delete", Method: "DELETE", Path: "/files/" + name, Headers: master(), Status: 200},
		{Name: "deleted", Method: "GET", Path: path, Status: 404, Exact: "File not found."},
		{Name: "unknown method", Method: "PUT", Path: "/files/x", Headers: app(), Status: 404, Has: []string{"Cannot PUT"}},
	})
	if res := w.do("POST", "/files/b.bin", sdk(`,"_MasterKey":"MASTER"`), nil); res.status != 201 {
		t.Errorf("status %d: %s", res.status, res.body)
	} else if got := w.do("GET", "/files/APP/"+member(t, res.body, "name"), "", nil).body; got != "from the SDK" {
		t.Errorf("the file holds %q", got)
	}
}

func TestDownloadPermissions(t *testing.T) {
	w := start(t, server.Environment{}, func(o *config.Options) {
		o.FileDownload.EnableForPublic, o.RESTAPIKey = false, "REST"
	})
	name := member(t, w.do("POST", "/files/a.txt", "x", master()).body, "name")
	w.run([]Scenario{
		{Name: "public", Method: "GET", Path: "/files/APP/" + name, Status: 400, Exact: `{"code":119,"error":"File download by public is disabled."}`},
		{Name: "master", Method: "GET", Path: "/files/APP/" + name, Headers: master(), Status: 200, Exact: "x"},
	})
}

func TestBatch(t *testing.T) {
	w := start(t, server.Environment{}, func(o *config.Options) { o.RequestComplexity.BatchRequestLimit = 60 })
	var fifty []string
	for i := range 50 {
		fifty = append(fifty, fmt.Sprintf(`{"method":"POST","path":"/parse/classes/New","body":{"n":%d}}`, i))
	}
	over := strings.Repeat(`{"method":"GET","path":"/parse/classes/New"},`, 60) + `{"method":"GET","path":"/parse/classes/New"}`
	invalid := func(message string) string { return `{"code":107,"error":"` + message + `"}` }
	w.run([]Scenario{
		{Name: "fifty creates of a new class", Method: "POST", Path: "/batch", Body: `{"requests":[` + strings.Join(fifty, ",") + `]}`, Headers: app(), Status: 200},
		{Name: "all are there", Method: "GET", Path: "/classes/New?count=1&limit=0", Headers: app(), Status: 200, Exact: `{"results":[],"count":50}`},
		{Name: "results in order", Method: "POST", Path: "/batch", Body: `{"requests":[{"method":"GET","path":"/parse/classes/New","body":{"where":{"n":7},"keys":"n"}},{"method":"DELETE","path":"/parse/classes/New/zzz"},{"method":"POST","path":"/parse/classes/New","body":{"n":"x"}}]}`, Headers: app(), Status: 200, Subset: `[{"success":{"results":[{"n":7}]}},{"error":{"code":101,"error":"Object not found."}},{"error":{"code":111}}]`},
		{Name: "empty", Method: "POST", Path: "/batch", Body: `{"requests":[]}`, Headers: app(), Status: 200, Exact: `[]`},
		{Name: "not an array", Method: "POST", Path: "/batch", Body: `{"requests":1}`, Headers: app(), Status: 400, Exact: invalid("requests must be an array")},
		{Name: "no requests", Method: "POST", Path: "/batch", Body: `{}`, Headers: app(), Status: 400, Exact: invalid("requests must be an array")},
		{Name: "no body", Method: "POST", Path: "/batch", Headers: app(), Status: 400, Exact: invalid("requests must be an array")},
		{Name: "path of a wrong type", Method: "POST", Path: "/batch", Body: `{"requests":[{"method":"GET","path":5}]}`, Headers: app(), Status: 400, Exact: invalid("batch request path must be a string")},
		{Name: "entry of a wrong type", Method: "POST", Path: "/batch", Body: `{"requests":[null]}`, Headers: app(), Status: 400, Exact: invalid("batch request path must be a string")},
		{Name: "other prefix", Method: "POST", Path: "/batch", Body: `{"requests":[{"method":"GET","path":"/x/classes/A"}]}`, Headers: app(), Status: 400, Exact: invalid("cannot route batch path /x/classes/A")},
		{Name: "nested", Method: "POST", Path: "/batch", Body: `{"requests":[{"method":"POST","path":"/parse/batch","body":{"requests":[]}}]}`, Headers: app(), Status: 400, Exact: invalid("nested batch requests are not allowed")},
		{Name: "nested in disguise", Method: "POST", Path: "/batch", Body: `{"requests":[{"method":"POST","path":"/parse/./x/..//BATCH/","body":{"requests":[]}}]}`, Headers: app(), Status: 400, Exact: invalid("nested batch requests are not allowed")},
		{Name: "unknown route", Method: "POST", Path: "/batch", Body: `{"requests":[{"method":"POST","path":"/parse/classes/Half","body":{}},{"method":"POST","path":"/parse/nope"}]}`, Headers: app(), Status: 400, Exact: invalid("cannot route POST /nope")},
		{Name: "nothing of it was executed", Method: "GET", Path: "/classes/Half", Headers: app(), Status: 200, Exact: `{"results":[]}`},
		{Name: "no method", Method: "POST", Path: "/batch", Body: `{"requests":[{"path":"/parse/classes/A"}]}`, Headers: app(), Status: 400, Exact: invalid("cannot route undefined /classes/A")},
		{Name: "files are no part of it", Method: "POST", Path: "/batch", Body: `{"requests":[{"method":"POST","path":"/parse/files/a.txt"}]}`, Headers: app(), Status: 400, Exact: invalid("cannot route POST /files/a.txt")},
		{Name: "too many", Method: "POST", Path: "/batch", Body: `{"requests":[` + over + `]}`, Headers: app(), Status: 400, Exact: invalid("Batch request contains 61 sub-requests, which exceeds the limit of 60.")},
		{Name: "too many for anybody but the master key", Method: "POST", Path: "/batch", Body: `{"requests":[` + over + `]}`, Headers: master(), Status: 200},
		{Name: "master only", Method: "POST", Path: "/batch", Body: `{"requests":[{"method":"GET","path":"/parse/schemas"}]}`, Headers: app(), Status: 200, Exact: `[{"error":{"error":"Permission denied"}}]`},
		{Name: "credentials in a sub-request are fields", Method: "POST", Path: "/batch", Body: `{"requests":[{"method":"POST","path":"/parse/classes/New","body":{"_MasterKey":"MASTER","n":1}}]}`, Headers: app(), Status: 200, Subset: `[{"error":{"code":105}}]`},
		{Name: "transaction that fails", Method: "POST", Path: "/batch", Body: `{"transaction":true,"requests":[{"method":"POST","path":"/parse/classes/Half","body":{"a":1}},{"method":"DELETE","path":"/parse/classes/Half/nosuch"}]}`, Headers: app(), Status: 404, Exact: `{"code":101,"error":"Object not found."}`},
		{Name: "nothing of it stays, not even the class", Method: "GET", Path: "/schemas/Half", Headers: master(), Status: 400, Subset: `{"code":103}`},
		{Name: "transaction", Method: "POST", Path: "/batch", Body: `{"transaction":true,"requests":[{"method":"POST","path":"/parse/classes/Half","body":{"a":1}},{"method":"GET","path":"/parse/classes/Half"},{"method":"POST","path":"/parse/users","body":{"username":"intx","password":"p"}}]}`, Headers: app(), Status: 200, Has: []string{`"a":1`, `"sessionToken":"r:`}},
		{Name: "transaction that is none", Method: "POST", Path: "/batch", Body: `{"transaction":1,"requests":[]}`, Headers: app(), Status: 400, Subset: `{"code":107}`},
		{Name: "by the form of the SDK", Method: "POST", Path: "/batch", Body: `{"requests":[{"method":"GET","path":"/parse/classes/New","body":{"limit":0}}],"_ApplicationId":"APP"}`, Headers: map[string]string{"Content-Type": "text/plain"}, Status: 200, Exact: `[{"success":{"results":[]}}]`},
	})
}

func TestFiftyConnectionsCreateOneClass(t *testing.T) {
	w := start(t, server.Environment{}, nil)
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			res := w.do("POST", "/classes/Fresh", fmt.Sprintf(`{"n":%d,"f%d":true}`, i, i%5), app())
			if res.status != http.StatusCreated {
				t.Errorf("status %d: %s", res.status, res.body)
			}
		})
	}
	wg.Wait()
	if res := w.do("GET", "/classes/Fresh?count=1&limit=0", "", app()); res.body != `{"results":[],"count":50}` {
		t.Errorf("body %s", res.body)
	}
}
