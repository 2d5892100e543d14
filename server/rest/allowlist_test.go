package rest_test

import (
	"testing"

	"github.com/parsescale/parsescale/server"
	"github.com/parsescale/parsescale/server/config"
)

const notAllowed = `{"code":119,"error":"Route not allowed by routeAllowList: `

func TestRouteAllowList(t *testing.T) {
	w := start(t, server.Environment{}, func(o *config.Options) {
		o.RouteAllowList = []string{"classes/A", "classes/A/[a-z]+", "users|login", "batch", "functions/(?!secret).*"}
		o.EnableSanitizedErrorResponse = false
		o.MaintenanceKey = "MAINT"
		o.FileUpload.EnableForPublic = true
	})
	refused := func(name, method, path, body, reason string) Scenario {
		return Scenario{Name: name, Method: method, Path: path, Body: body, Headers: app(), Status: 400, Exact: notAllowed + reason + `"}`}
	}
	w.run([]Scenario{
		{Name: "listed", Method: "GET", Path: "/classes/A", Headers: app(), Status: 200},
		{Name: "slash at the end", Method: "GET", Path: "/classes/A/", Headers: app(), Status: 200},
		{Name: "query", Method: "GET", Path: "/classes/A?limit=0", Headers: app(), Status: 200, Exact: `{"results":[]}`},
		refused("slash and query", "GET", "/classes/A/?limit=0", "", "GET classes/A/"),
		refused("other class", "GET", "/classes/B", "", "GET classes/B"),
		refused("case counts", "GET", "/Classes/A", "", "GET Classes/A"),
		refused("two slashes", "GET", "//classes/A", "", "GET /classes/A"),
		refused("escaped", "GET", "/classes/%41", "", "GET classes/%41"),
		refused("no such route", "GET", "/nope", "", "GET nope"),
		refused("root", "GET", "/", "", "GET "),
		refused("master key endpoint", "GET", "/schemas", "", "GET schemas"),
		refused("overridden method", "POST", "/classes/B", `{"_method":"GET"}`, "GET classes/B"),
		refused("first alternative is no prefix", "GET", "/usersx", "", "GET usersx"),
		refused("last alternative is no suffix", "POST", "/xlogin", `{}`, "POST xlogin"),
		refused("look-ahead", "POST", "/functions/secret", `{}`, "POST functions/secret"),
		{Name: "look-ahead passes", Method: "POST", Path: "/functions/open", Body: `{}`, Headers: app(), Status: 400, Subset: `{"code":141}`},
		{Name: "master key", Method: "GET", Path: "/classes/B", Headers: master(), Status: 200},
		{Name: "maintenance key", Method: "GET", Path: "/classes/B", Headers: app("X-Parse-Maintenance-Key", "MAINT"), Status: 200},
		{Name: "before the session", Method: "GET", Path: "/classes/B", Headers: app("X-Parse-Session-Token", "r:bad"), Status: 400, Subset: `{"code":119}`},
		{Name: "after the keys", Method: "GET", Path: "/classes/B", Status: 403},
		{Name: "files are exempt", Method: "POST", Path: "/files/a.txt", Body: "x", Headers: app(), Status: 201},
		{Name: "health is exempt", Method: "GET", Path: "/health", Status: 200},
		{
			Name: "batch", Method: "POST", Path: "/batch", Headers: app(), Status: 200,
			Body: `{"requests":[{"method":"GET","path":"/parse/classes/A"},{"method":"GET","path":"/parse/classes/A/"}]}`,
		},
		refused("batch with another", "POST", "/batch", `{"requests":[{"method":"GET","path":"/parse/classes/A"},{"method":"get","path":"/parse/classes/B/"}]}`, "GET /classes/B/"),
		refused("batch without a method", "POST", "/batch", `{"requests":[{"path":"/parse/classes/B"}]}`, "GET /classes/B"),
		refused("before routing", "POST", "/batch", `{"requests":[{"method":"POST","path":"/parse/nope"}]}`, "POST /nope"),
		refused("dots in a batch", "POST", "/batch", `{"requests":[{"method":"GET","path":"/parse/classes/A/../B"}]}`, "GET /classes/B"),
		{
			Name: "batch with the master key", Method: "POST", Path: "/batch", Headers: master(), Status: 200,
			Body: `{"requests":[{"method":"GET","path":"/parse/classes/B"}]}`,
		},
	})
	if res := w.do("GET", "/classes/A", "", app()); res.body != `{"results":[]}` {
		t.Errorf("a refused request did something: %s", res.body)
	}
}

func TestEmptyRouteAllowList(t *testing.T) {
	w := start(t, server.Environment{}, func(o *config.Options) { o.RouteAllowList = []string{} })
	w.run([]Scenario{
		{Name: "nothing is open", Method: "GET", Path: "/classes/A", Headers: app(), Status: 400, Exact: `{"code":119,"error":"Permission denied"}`},
		{Name: "but for the master key", Method: "GET", Path: "/classes/A", Headers: master(), Status: 200},
	})
}
