package rest_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/parsescale/parsescale/server"
	"github.com/parsescale/parsescale/server/config"
)

// posted is a request to the API, and what parse-server 9.10 posted to webhooks because of it. <ts> is a time, <tok> a
// session token, other names in brackets are ids. Of the header fields those are left out that every client has. Arrays
// that were added to keep their order here, unlike there.
type posted struct {
	As    string           `json:"as"` // "", user or master
	Do    string           `json:"do"`
	Body  json.RawMessage  `json:"body"`
	Keep  string           `json:"keep"` // the name for the id of the object that is made
	Posts []map[string]any `json:"posts"`
}

// recorder is a webhook that says nothing.
type recorder struct {
	mu    sync.Mutex
	posts []map[string]any
	keys  map[string]bool
}

func (h *recorder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var body map[string]any
	err := json.NewDecoder(r.Body).Decode(&body)
	h.mu.Lock()
	defer h.mu.Unlock()
	if err == nil && r.Header.Get("Content-Type") == "application/json" {
		h.posts = append(h.posts, body)
	}
	h.keys[r.Header.Get("X-Parse-Webhook-Key")] = true
	_, _ = io.WriteString(w, `{}`)
}

func (h *recorder) taken() []map[string]any {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := h.posts
	h.posts = nil
	return out
}

func TestWebhookPosts(t *testing.T) {
	data, err := os.ReadFile("testdata/webhooks.json")
	if err != nil {
		t.Fatal(err)
	}
	var steps []posted
	if err := json.Unmarshal(data, &steps); err != nil {
		t.Fatal(err)
	}
	h := &recorder{keys: map[string]bool{}}
	hook := httptest.NewServer(h)
	defer hook.Close()
	w := start(t, server.Environment{}, func(o *config.Options) { o.WebhookKey = "the key" })
	up := w.do("POST", "/users", `{"username":"gu","password":"p","email":"gu@x.com","extra":[1,{"__type":"Pointer","className":"X","objectId":"q"}]}`, app())
	ids := map[string]string{"user": member(t, up.body, "objectId")}
	client := []string{"X-Parse-Installation-Id", "inst1", "X-Parse-Cloud-Context", `{"k":[1]}`, "X-Foo", "bar"}
	callers := map[string]map[string]string{
		"": app(client...), "master": master(), "user": app(append(client, "X-Parse-Session-Token", member(t, up.body, "sessionToken"))...),
	}
	for _, at := range []string{
		"GW/beforeSave", "GW/afterSave", "GW/beforeFind", "GW/afterFind", "GD/beforeDelete", "GD/afterDelete",
		"_User/beforeSave", "_User/afterSave", "_User/beforeLogin", "_User/afterLogin", "_Session/afterLogout",
	} {
		class, kind, _ := strings.Cut(at, "/")
		if res := w.do("POST", "/hooks/triggers", `{"className":"`+class+`","triggerName":"`+kind+`","url":"`+hook.URL+`"}`, master()); res.status != 200 {
			t.Fatal(res.body)
		}
	}
	for _, s := range steps {
		method, path, _ := strings.Cut(s.Do, " ")
		for name, id := range ids {
			path = strings.ReplaceAll(path, "<"+name+">", id)
		}
		res := w.do(method, path, string(s.Body), callers[s.As])
		if res.status >= 300 {
			t.Fatalf("%s: %d %s", s.Do, res.status, res.body)
		}
		if s.Keep != "" {
			ids[s.Keep] = member(t, res.body, "objectId")
		}
		posts := h.taken()
		if len(posts) != len(s.Posts) {
			t.Fatalf("%s: %d posts, want %d", s.Do, len(posts), len(s.Posts))
		}
		for i, want := range s.Posts {
			got := posts[i]
			delete(got, "log")
			headers, _ := got["headers"].(map[string]any)
			if headers["host"] == "" || headers["x-parse-master-key"] != nil {
				t.Errorf("%s: the header fields are %v", s.Do, headers)
			}
			for _, name := range []string{"host", "accept-encoding", "user-agent", "content-length", "content-type", "connection", "x-parse-application-id"} {
				delete(headers, name)
			}
			if object, ok := got["object"].(map[string]any); ok && object["className"] == "_Session" {
				ids["session"], _ = object["objectId"].(string)
			}
			if got := named(got, ids); !reflect.DeepEqual(got, any(want)) {
				a, _ := json.Marshal(got)
				b, _ := json.Marshal(want)
				t.Errorf("%s:\n got %s\nwant %s", s.Do, a, b)
			}
		}
	}
	if len(h.keys) != 1 || !h.keys["the key"] {
		t.Errorf("the keys were %v", h.keys)
	}
}

var sessionToken = regexp.MustCompile(`r:[0-9a-f]{32}`)

// named puts names in the place of ids, times and tokens.
func named(v any, ids map[string]string) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, e := range v {
			name, _ := named(k, ids).(string)
			out[name] = named(e, ids)
		}
		return out
	case []any:
		for i, e := range v {
			v[i] = named(e, ids)
		}
	case string:
		for name, id := range ids {
			v = strings.ReplaceAll(v, id, "<"+name+">")
		}
		if !strings.HasPrefix(v, "2020-01-02") {
			v = timestamp.ReplaceAllString(v, "<ts>")
		}
		return sessionToken.ReplaceAllString(v, "<tok>")
	}
	return v
}

// TestWebhookAnswers has the answers of parse-server 9.10, but for those that COMPATIBILITY.md lists.
func TestWebhookAnswers(t *testing.T) {
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if to := r.URL.Query().Get("to"); to != "" {
			http.Redirect(w, r, to, http.StatusFound)
			return
		}
		_, _ = io.WriteString(w, r.URL.Query().Get("say"))
	}))
	defer hook.Close()
	w := start(t, server.Environment{}, nil)
	on := func(class, kind, say string) {
		t.Helper()
		say = strings.NewReplacer(`"`, "%22", "{", "%7B", "}", "%7D", " ", "%20").Replace(say)
		body := `{"className":"` + class + `","triggerName":"` + kind + `","url":"` + hook.URL + `?say=` + say + `"}`
		if res := w.do("PUT", "/hooks/triggers/"+class+"/"+kind, body, master()); res.status != 200 {
			if res = w.do("POST", "/hooks/triggers", body, master()); res.status != 200 {
				t.Fatal(res.body)
			}
		}
	}
	refused := func(text string) string { return `{"code":141,"error":"` + text + `"}` }
	unusable, malformed, unknown := refused("The webhook's answer can't be used."), refused("Malformed response"), refused("Script failed. Unknown error.")
	for say, want := range map[string]string{
		``: `{}`, `{}`: `{}`, `{"error":""}`: `{}`, `{"error":false}`: `{}`,
		`{"success":{"a":2,"z":9,"createdAt":"x","updatedAt":"y","className":"c"}}`: `{"a":2,"z":9}`,
		`{"success":{"objectId":"mine123456","q":1}}`:                               `{"objectId":"mine123456","q":1}`,
		`{"success":{"a":{"__op":"Increment","amount":3}}}`:                         `{"a":3}`,
		`{"success":{"a":{"__op":"Delete"}}}`:                                       `{"a":{"__op":"Delete"}}`,
		`{"success":{"a":1,"ACL":{"*":{"read":true}}}}`:                             `{"ACL":{"*":{"read":true}}}`,
		`{"error":"bad"}`: refused("bad"), `{"error":"bad","success":{"a":1}}`: refused("bad"), `{"error":{"code":5,"message":"m"}}`: refused("m"),
		`{"error":{"code":5}}`: unknown, `{"error":true}`: unknown, `{"error":5}`: unknown, `{"error":[]}`: unknown,
		`{"success":true}`: unusable, `{"success":null}`: unusable, `{"success":[1]}`: unusable, `{"success":5}`: unusable,
		`nope`: malformed, `"text"`: malformed, `[1]`: malformed, `null`: malformed,
		`{"success":{"1bad":1}}`:        `{"code":105,"error":"Invalid field name: 1bad."}`,
		`{"success":{"constructor":1}}`: `{"code":105}`,
	} {
		on("Saved", "beforeSave", say)
		res := w.do("POST", "/classes/Saved", `{"a":1,"keep":"k"}`, master())
		(&Scenario{Status: map[bool]int{true: 400, false: 201}[strings.Contains(want, `"code"`)], Subset: want}).check(t, res)
	}
	for say, want := range map[string]string{
		`{}`: `{"objectId":`, `{"success":{}}`: `{}`, `{"success":true}`: `{"objectId":`, `{"success":{"hello":"w"}}`: `{"hello":"w"}`, `{"success":[1]}`: `[1]`, `{"error":"x"}`: `{"objectId":`,
	} {
		on("Then", "afterSave", say)
		if res := w.do("POST", "/classes/Then", `{"a":1}`, app()); res.status != 201 || !strings.HasPrefix(res.body, want) {
			t.Errorf("afterSave says %s: %d %s, want %s", say, res.status, res.body, want)
		}
	}
	w.do("POST", "/classes/Found", `{"a":1}`, app())
	for _, c := range []struct{ kind, say, want string }{
		{"beforeFind", `{"success":[]}`, `{"results":[]}`}, {"beforeFind", `{"success":[{"a":5}]}`, `{"results":[{"a":1}]}`},
		{"beforeFind", `{"success":{"where":{"a":2}}}`, `{"results":[{"a":1}]}`}, {"beforeFind", `{"error":"x"}`, refused("x")}, {"beforeFind", `{}`, `{"results":[{"a":1}]}`},
		{"afterFind", `{}`, `{"results":[{"a":1,"className":"Found"}]}`}, {"afterFind", `{"success":[]}`, `{"results":[]}`}, {"afterFind", `{"success":null}`, `{"results":[{"a":1}]}`},
		{"afterFind", `{"success":[{"a":5}]}`, `{"results":[{"a":5,"className":"Found"}]}`}, {"afterFind", `{"success":true}`, unusable}, {"afterFind", `{"success":[1]}`, unusable}, {"afterFind", `{"error":"x"}`, refused("x")},
	} {
		on("Found", c.kind, c.say)
		(&Scenario{Status: map[bool]int{true: 400, false: 200}[strings.Contains(c.want, `"code"`)], Subset: c.want}).check(t, w.do("GET", "/classes/Found", "", app()))
	}
	for _, body := range []string{`{"url":"` + hook.URL + `?to=http://127.0.0.1:1/"}`, `{"url":"http://127.0.0.1:1/"}`} {
		w.do("PUT", "/hooks/triggers/Saved/beforeSave", body, master())
		if res := w.do("POST", "/classes/Saved", `{}`, app()); res.body != refused("The webhook of the trigger can't be reached.") {
			t.Errorf("%s: %d %s", body, res.status, res.body)
		}
	}
}

// TestWebhookStatus: what a webhook says of its refusal reaches the client whatever the status, and nothing else of it does.
func TestWebhookStatus(t *testing.T) {
	var status int
	var say string
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte(say))
	}))
	defer hook.Close()
	w := start(t, server.Environment{}, nil)
	for _, b := range []string{`{"className":"A","triggerName":"beforeSave","url":"` + hook.URL + `"}`, `{"functionName":"f","url":"` + hook.URL + `"}`} {
		path := "/hooks/triggers"
		if strings.Contains(b, "functionName") {
			path = "/hooks/functions"
		}
		if res := w.do("POST", path, b, master()); res.status != 200 {
			t.Fatal(res.body)
		}
	}
	for _, c := range []struct {
		status      int
		say, reason string
	}{
		{400, `{"error":"no way"}`, "no way"},
		{404, `{"error":{"code":5,"message":"not here"}}`, "not here"},
		{500, `{"error":"no way"}`, "no way"},
		{500, `{"error":true}`, "Script failed. Unknown error."},
		{400, `{"success":{"a":1}}`, ""}, {400, `{"error":null}`, ""}, {403, `denied by the proxy at 10.0.0.1`, ""}, {500, ``, ""}, {500, `"no"`, ""}, {302, `{}`, ""},
	} {
		status, say = c.status, c.say
		for what, path := range map[string]string{"trigger": "/classes/A", "function": "/functions/f"} {
			reason := c.reason
			if reason == "" {
				reason = "The webhook of the " + what + " can't be reached."
			}
			if res := w.do("POST", path, `{}`, app()); res.status != 400 || res.body != `{"code":141,"error":"`+reason+`"}` {
				t.Errorf("%s, %d %s: %d %s", what, c.status, c.say, res.status, res.body)
			}
		}
	}
}

// TestProtectedFieldsAndTriggers checks who learns of the fields that are protected from who saves.
func TestProtectedFieldsAndTriggers(t *testing.T) {
	for _, exempt := range []bool{false, true} {
		h := &recorder{keys: map[string]bool{}}
		hook := httptest.NewServer(h)
		w := start(t, server.Environment{}, func(o *config.Options) {
			o.ProtectedFieldsTriggerExempt, o.ProtectedFieldsSaveResponseExempt = exempt, false
		})
		w.do("POST", "/schemas/P", `{"className":"P","fields":{"pin":{"type":"String"},"a":{"type":"Number"}},"classLevelPermissions":{"find":{"*":true},"get":{"*":true},"create":{"*":true},"update":{"*":true},"protectedFields":{"*":["pin"]}}}`, master())
		id := member(t, w.do("POST", "/classes/P", `{"pin":"pin-4711","a":1}`, app()).body, "objectId")
		for _, kind := range []string{"beforeSave", "afterSave"} {
			if res := w.do("POST", "/hooks/triggers", `{"className":"P","triggerName":"`+kind+`","url":"`+hook.URL+`"}`, master()); res.status != 200 {
				t.Fatal(res.body)
			}
		}
		if res := w.do("PUT", "/classes/P/"+id, `{"a":2}`, app()); res.status != 200 || strings.Contains(res.body, "pin-4711") {
			t.Errorf("%d %s", res.status, res.body)
		}
		for _, post := range h.taken() {
			object, _ := post["object"].(map[string]any)
			original, _ := post["original"].(map[string]any)
			if (object["pin"] == "pin-4711") != exempt || (original["pin"] == "pin-4711") != exempt {
				t.Errorf("exempt %v: %s is told %v of %v", exempt, post["triggerName"], object, original)
			}
		}
		if res := w.do("PUT", "/classes/P/"+id, `{"pin":"pin-0815"}`, app()); strings.Contains(res.body, "pin-0815") {
			t.Errorf("%d %s", res.status, res.body)
		}
		hook.Close()
	}
}

func TestTriggerWebhooks(t *testing.T) {
	w := start(t, server.Environment{}, func(o *config.Options) { o.ReadOnlyMasterKey = "RO" })
	declare := func(class, kind, url string) string {
		return `{"className":"` + class + `","triggerName":"` + kind + `","url":"` + url + `"}`
	}
	post := func(name, body string, status int, want string) Scenario {
		return Scenario{Name: name, Method: "POST", Path: "/hooks/triggers", Headers: master(), Body: body, Status: status, Subset: want}
	}
	invalid := `{"code":143,"error":"invalid hook declaration"}`
	w.run([]Scenario{
		{Name: "not for clients", Method: "POST", Path: "/hooks/triggers", Headers: app(), Body: declare("A", "beforeSave", "http://x"), Status: 403},
		{Name: "nor for the read-only key", Method: "POST", Path: "/hooks/triggers", Headers: app("X-Parse-Master-Key", "RO"), Body: declare("A", "beforeSave", "http://x"), Status: 400, Subset: `{"code":119}`},
		{Name: "none yet", Method: "GET", Path: "/hooks/triggers", Headers: master(), Status: 200, Exact: `[]`},
		post("one", declare("A", "beforeSave", "http://x"), 200, declare("A", "beforeSave", "http://x")),
		post("again", declare("A", "beforeSave", "http://y"), 400, `{"code":143,"error":"class A already has trigger beforeSave"}`),
		post("another kind", declare("A", "afterFind", "http://y"), 200, declare("A", "afterFind", "http://y")),
		{Name: "shown", Method: "GET", Path: "/hooks/triggers/A/beforeSave", Headers: master(), Status: 200, Subset: declare("A", "beforeSave", "http://x")},
		{Name: "another isn't", Method: "GET", Path: "/hooks/triggers/A/afterSave", Headers: master(), Status: 400, Exact: `{"code":143,"error":"class A does not exist"}`},
		{Name: "changed", Method: "PUT", Path: "/hooks/triggers/A/beforeSave", Headers: master(), Body: `{"url":"http://z"}`, Status: 200, Subset: declare("A", "beforeSave", "http://z")},
		{Name: "another isn't changed", Method: "PUT", Path: "/hooks/triggers/B/beforeSave", Headers: master(), Body: `{"url":"http://z"}`, Status: 400, Exact: `{"code":143,"error":"class B does not exist"}`},
		{Name: "changed to nothing", Method: "PUT", Path: "/hooks/triggers/A/beforeSave", Headers: master(), Body: `{}`, Status: 400, Exact: invalid},
		post("no such kind", declare("A", "beforeLunch", "http://x"), 400, invalid),
		post("no kind", `{"className":"A","url":"http://x"}`, 400, invalid),
		post("a kind that is a number", `{"className":"A","triggerName":5,"url":"http://x"}`, 400, invalid),
		post("no address", `{"className":"A","triggerName":"afterSave"}`, 400, invalid),
		post("a file", declare("A", "afterSave", "file:///etc/passwd"), 400, invalid),
		post("a class that a request can't name", declare("a'b", "afterSave", "http://x"), 400, invalid),
		post("sessions", declare("_Session", "beforeSave", "http://x"), 400, `{"code":143,"error":"Only the afterLogout trigger is allowed for the _Session class."}`),
		post("log-outs", declare("A", "afterLogout", "http://x"), 400, `{"code":143,"error":"Only the _Session class is allowed for the afterLogout trigger."}`),
		post("log-ins", declare("A", "beforeLogin", "http://x"), 400, `{"code":143,"error":"Only the _User class is allowed for the beforeLogin, afterLogin, and beforePasswordResetRequest triggers"}`),
		post("pushes", declare("_PushStatus", "beforeSave", "http://x"), 400, `{"code":143,"error":"Only afterSave is allowed on _PushStatus"}`),
		post("after pushes", declare("_PushStatus", "afterSave", "http://x"), 200, `{}`),
		post("subscriptions", declare("A", "beforeSubscribe", "http://x"), 200, `{}`),
		{Name: "a function at the triggers' path", Method: "POST", Path: "/hooks/triggers", Headers: master(), Body: `{"functionName":"f","url":"http://x"}`, Status: 200, Subset: `{"functionName":"f"}`},
		{Name: "removed", Method: "PUT", Path: "/hooks/triggers/A/beforeSave", Headers: master(), Body: `{"__op":"Delete"}`, Status: 200, Exact: `{}`},
		{Name: "removed again", Method: "PUT", Path: "/hooks/triggers/A/beforeSave", Headers: master(), Body: `{"__op":"Delete"}`, Status: 404, Subset: `{"code":101}`},
		{Name: "it no longer counts", Method: "POST", Path: "/classes/A", Headers: app(), Body: `{}`, Status: 201},
		{Name: "listed", Method: "GET", Path: "/hooks/triggers", Headers: master(), Status: 200, Has: []string{`"afterFind"`, `"_PushStatus"`, `"beforeSubscribe"`}},
	})
}
