package rest_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/parsescale/parsescale/server"
	"github.com/parsescale/parsescale/server/cloud"
	"github.com/parsescale/parsescale/server/config"
	"github.com/parsescale/parsescale/server/parseerror"
	"github.com/parsescale/parsescale/server/query"
)

func TestGoFunctions(t *testing.T) {
	w := start(t, server.Environment{Cloud: func(c *cloud.Cloud) error {
		for name, f := range map[string]cloud.Function{
			"echo": func(_ context.Context, r *cloud.Request) (any, error) { return r.Params, nil },
			"who": func(_ context.Context, r *cloud.Request) (any, error) {
				return map[string]any{"user": r.User["username"], "master": r.Master, "installation": r.InstallationID, "x": r.Headers["x-my"], "context": r.Context, "key": r.Headers["x-parse-master-key"]}, nil
			},
			"fails":   func(context.Context, *cloud.Request) (any, error) { return nil, errors.New("no luck") },
			"codes":   func(context.Context, *cloud.Request) (any, error) { return nil, parseerror.New(1234, "mine") },
			"nothing": func(context.Context, *cloud.Request) (any, error) { return nil, nil },
			"panics":  func(context.Context, *cloud.Request) (any, error) { panic("secret") },
			"with.dot": func(context.Context, *cloud.Request) (any, error) {
				return query.Pointer{ClassName: "A", ObjectID: "x"}, nil
			},
		} {
			if err := c.Define(name, f, cloud.Validator{}); err != nil {
				return err
			}
		}
		return errors.Join(
			c.Define("members", func(context.Context, *cloud.Request) (any, error) { return true, nil }, cloud.Validator{RequireUser: true}),
			c.Define("masters", func(context.Context, *cloud.Request) (any, error) { return true, nil }, cloud.Validator{RequireMaster: true}),
			c.Define("typed", func(_ context.Context, r *cloud.Request) (any, error) { return r.Params["n"], nil },
				cloud.Validator{Fields: map[string]cloud.Field{"n": {Required: true, Type: "number"}}}),
			c.Define("defaulted", func(_ context.Context, r *cloud.Request) (any, error) { return r.Params["n"], nil },
				cloud.Validator{Fields: map[string]cloud.Field{"n": {Required: true, Default: 7.0}}}),
		)
	}}, nil)
	res := w.do("POST", "/users", `{"username":"ann","password":"pw"}`, app())
	var up struct{ SessionToken string }
	if err := json.Unmarshal([]byte(res.body), &up); err != nil {
		t.Fatal(err)
	}
	ann := map[string]string{"X-Parse-Application-Id": "APP", "X-Parse-Session-Token": up.SessionToken, "X-Parse-Installation-Id": "i1", "X-My": "field", "X-Parse-Cloud-Context": `{"a":1}`}
	w.run([]Scenario{
		{Name: "parameters", Method: "POST", Path: "/functions/echo?b=2", Headers: app(), Body: `{"a":{"__type":"Date","iso":"2020-01-01T00:00:00.000Z"},"b":1}`, Status: 200, Exact: `{"result":{"a":{"__type":"Date","iso":"2020-01-01T00:00:00.000Z"},"b":"2"}}`},
		{Name: "who calls", Method: "POST", Path: "/functions/who", Headers: ann, Body: `{}`, Status: 200, Subset: `{"result":{"user":"ann","master":false,"installation":"i1","x":"field","context":{"a":1},"key":""}}`},
		{Name: "the master key", Method: "POST", Path: "/functions/who", Headers: master(), Body: `{}`, Status: 200, Subset: `{"result":{"user":null,"master":true,"key":""}}`},
		{Name: "an error", Method: "POST", Path: "/functions/fails", Headers: app(), Body: `{}`, Status: 400, Exact: `{"code":141,"error":"no luck"}`},
		{Name: "an error with a code", Method: "POST", Path: "/functions/codes", Headers: app(), Body: `{}`, Status: 400, Exact: `{"code":1234,"error":"mine"}`},
		{Name: "nothing", Method: "POST", Path: "/functions/nothing", Headers: app(), Status: 200, Exact: `{}`},
		{Name: "a panic tells nothing", Method: "POST", Path: "/functions/panics", Headers: app(), Body: `{}`, Status: 400, Exact: `{"code":141,"error":"Script failed."}`},
		{Name: "a pointer", Method: "POST", Path: "/functions/with.dot", Headers: app(), Body: `{}`, Status: 200, Exact: `{"result":{"__type":"Pointer","className":"A","objectId":"x"}}`},
		{Name: "one that isn't there", Method: "POST", Path: "/functions/nosuch", Headers: app(), Body: `{}`, Status: 400, Exact: `{"code":141,"error":"Invalid function: \"nosuch\""}`},
		{Name: "members only", Method: "POST", Path: "/functions/members", Headers: app(), Body: `{}`, Status: 400, Exact: `{"code":142,"error":"Validation failed. Please login to continue."}`},
		{Name: "a member", Method: "POST", Path: "/functions/members", Headers: ann, Body: `{}`, Status: 200, Exact: `{"result":true}`},
		{Name: "master key only", Method: "POST", Path: "/functions/masters", Headers: ann, Body: `{}`, Status: 400, Exact: `{"code":142,"error":"Validation failed. Master key is required to complete this request."}`},
		// GHSA-vpj2-qq7w-5qq6 and its like: no longer name leads round what guards the function.
		{Name: "a name below a guarded one", Method: "POST", Path: "/functions/masters.constructor", Headers: app(), Body: `{}`, Status: 400, Exact: `{"code":141,"error":"Invalid function: \"masters.constructor\""}`},
		{Name: "a name above a guarded one", Method: "POST", Path: "/functions/__proto__.masters", Headers: app(), Body: `{}`, Status: 400, Exact: `{"code":141,"error":"Invalid function: \"__proto__.masters\""}`},
		{Name: "a guarded one in another case", Method: "POST", Path: "/functions/Masters", Headers: app(), Body: `{}`, Status: 400, Exact: `{"code":141,"error":"Invalid function: \"Masters\""}`},
		{Name: "a missing parameter", Method: "POST", Path: "/functions/typed", Headers: app(), Body: `{}`, Status: 400, Exact: `{"code":142,"error":"Validation failed. Please specify data for n."}`},
		{Name: "of another type", Method: "POST", Path: "/functions/typed", Headers: app(), Body: `{"n":"1"}`, Status: 400, Exact: `{"code":142,"error":"Validation failed. Invalid type for n. Expected: number"}`},
		{Name: "a default", Method: "POST", Path: "/functions/defaulted", Headers: app(), Body: `{}`, Status: 200, Exact: `{"result":7}`},
		{Name: "a wrong session", Method: "POST", Path: "/functions/echo", Headers: map[string]string{"X-Parse-Application-Id": "APP", "X-Parse-Session-Token": "r:no"}, Body: `{}`, Status: 400, Subset: `{"code":209}`},
		{Name: "in a batch", Method: "POST", Path: "/batch", Headers: ann, Body: `{"requests":[{"method":"POST","path":"/parse/functions/members","body":{}},{"method":"POST","path":"/parse/functions/nosuch","body":{}}]}`, Status: 200, Exact: `[{"success":{"result":true}},{"error":{"code":141,"error":"Invalid function: \"nosuch\""}}]`},
		{Name: "a GET isn't a call", Method: "GET", Path: "/functions/echo", Headers: app(), Status: 404},
	})
}

func TestFunctionWebhooks(t *testing.T) {
	var got map[string]any
	var key string
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		data, _ := io.ReadAll(r.Body)
		got, key = nil, r.Header.Get("X-Parse-Webhook-Key")
		if err := json.Unmarshal(data, &got); err != nil {
			t.Error(err)
		}
		switch r.URL.Path {
		case "/moved":
			http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusFound)
		case "/broken":
			http.Error(w, `{"success":1}`, http.StatusInternalServerError)
		default:
			_, _ = io.WriteString(w, map[string]string{
				"/ok": `{"success":{"n":[1,{"__type":"Date","iso":"2020-01-01T00:00:00.000Z"}]}}`, "/text": `{"error":"went wrong"}`,
				"/coded": `{"error":{"code":7,"message":"with a code"}}`, "/junk": `no JSON`, "/empty": ``,
			}[r.URL.Path])
		}
	}))
	defer hook.Close()
	w := start(t, server.Environment{}, func(o *config.Options) { o.WebhookKey, o.ReadOnlyMasterKey = "the key", "RO" })
	readOnly := map[string]string{"X-Parse-Application-Id": "APP", "X-Parse-Master-Key": "RO"}
	declare := func(name, path string) string {
		return `{"functionName":"` + name + `","url":"` + hook.URL + path + `"}`
	}
	w.run([]Scenario{
		{Name: "not for clients", Method: "POST", Path: "/hooks/functions", Headers: app(), Body: declare("f", "/ok"), Status: 403},
		{Name: "nor for the read-only key", Method: "POST", Path: "/hooks/functions", Headers: readOnly, Body: declare("f", "/ok"), Status: 400, Subset: `{"code":119}`},
		{Name: "none yet", Method: "GET", Path: "/hooks/functions", Headers: master(), Status: 200, Exact: `[]`},
		{Name: "one", Method: "POST", Path: "/hooks/functions", Headers: master(), Body: declare("f", "/text"), Status: 200, Subset: declare("f", "/text")},
		{Name: "again", Method: "POST", Path: "/hooks/functions", Headers: master(), Body: declare("f", "/ok"), Status: 400, Exact: `{"code":143,"error":"function name: f already exists"}`},
		{Name: "its error", Method: "POST", Path: "/functions/f", Headers: app(), Body: `{}`, Status: 400, Exact: `{"code":141,"error":"went wrong"}`},
		{Name: "changed", Method: "PUT", Path: "/hooks/functions/f", Headers: master(), Body: `{"url":"` + hook.URL + `/ok"}`, Status: 200, Subset: declare("f", "/ok")},
		{Name: "its result", Method: "POST", Path: "/functions/f", Headers: app(), Body: `{"q":1}`, Status: 200, Exact: `{"result":{"n":[1,{"__type":"Date","iso":"2020-01-01T00:00:00.000Z"}]}}`},
		{Name: "shown", Method: "GET", Path: "/hooks/functions/f", Headers: master(), Status: 200, Subset: declare("f", "/ok")},
		{Name: "another's isn't", Method: "GET", Path: "/hooks/functions/g", Headers: master(), Status: 400, Exact: `{"code":143,"error":"no function named: g is defined"}`},
		{Name: "nor changed", Method: "PUT", Path: "/hooks/functions/g", Headers: master(), Body: `{"url":"http://x"}`, Status: 400, Exact: `{"code":143,"error":"no function named: g is defined"}`},
		{Name: "no declaration", Method: "POST", Path: "/hooks/functions", Headers: master(), Body: `{"x":1}`, Status: 400, Exact: `{"code":143,"error":"invalid hook declaration"}`},
		{Name: "no address", Method: "POST", Path: "/hooks/functions", Headers: master(), Body: `{"functionName":"z","url":"file:///etc/passwd"}`, Status: 400, Subset: `{"code":143}`},
		{Name: "clients don't see the class", Method: "GET", Path: "/classes/_Hooks", Headers: app(), Status: 400, Subset: `{"code":119}`},
	})
	if key != "the key" || got["functionName"] != "f" || got["params"].(map[string]any)["q"] != 1.0 || got["master"] != false {
		t.Errorf("the webhook got the key %q and %v", key, got)
	}
	for path, want := range map[string]string{
		"/coded": `{"code":141,"error":"with a code"}`, "/junk": `{"code":141,"error":"Malformed response"}`, "/empty": `{}`,
		"/moved": `{"code":141,"error":"The webhook of the function can't be reached."}`, "/broken": `{"code":141,"error":"The webhook of the function can't be reached."}`,
	} {
		w.do("PUT", "/hooks/functions/f", `{"url":"`+hook.URL+path+`"}`, master())
		if res := w.do("POST", "/functions/f", `{}`, app()); res.body != want {
			t.Errorf("%s: %s, want %s", path, res.body, want)
		}
	}
	w.run([]Scenario{
		{Name: "removed", Method: "PUT", Path: "/hooks/functions/f", Headers: master(), Body: `{"__op":"Delete"}`, Status: 200, Exact: `{}`},
		{Name: "it isn't there", Method: "POST", Path: "/functions/f", Headers: app(), Body: `{}`, Status: 400, Exact: `{"code":141,"error":"Invalid function: \"f\""}`},
		{Name: "removed again", Method: "PUT", Path: "/hooks/functions/f", Headers: master(), Body: `{"__op":"Delete"}`, Status: 404, Subset: `{"code":101}`},
	})
	if strings.Contains(w.do("GET", "/scriptlog?size=100", "", master()).body, "the key") {
		t.Error("the log tells the webhook key")
	}
}
