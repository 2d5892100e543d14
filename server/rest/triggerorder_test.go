package rest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parsescale/parsescale/server"
	"github.com/parsescale/parsescale/server/cloud"
	"github.com/parsescale/parsescale/server/config"
	"github.com/parsescale/parsescale/server/mail"
	"github.com/parsescale/parsescale/server/testservices"
)

// calls notes which triggers run.
type calls struct {
	mu   sync.Mutex
	list []string
}

func (c *calls) note(_ context.Context, r *cloud.TriggerRequest) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	about := r.Class
	if r.Object != nil && r.Object.Get("n") != nil {
		about += fmt.Sprint(r.Object.Get("n"))
	}
	c.list = append(c.list, r.Kind.String()+" "+about)
	if r.Object != nil && truthy(r.Object.Get("refuse")) {
		return errors.New("refused")
	}
	return nil
}

// taken returns what was noted since it was asked last.
func (c *calls) taken() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := strings.Join(c.list, ", ")
	c.list = nil
	return out
}

// everything has all triggers noted.
func (c *calls) everything(to *cloud.Cloud) error {
	var err error
	all := cloud.Validator{}
	for _, class := range []string{"A", "_User", "_Role", "_Installation"} {
		err = errors.Join(err, to.BeforeSave(class, c.note, all), to.AfterSave(class, c.note, all), to.BeforeDelete(class, c.note, all), to.AfterDelete(class, c.note, all))
	}
	return errors.Join(err, to.BeforeFind("A", c.note, all), to.AfterFind("A", c.note, all), to.BeforeLogin(c.note), to.AfterLogin(c.note), to.AfterLogout(c.note),
		to.BeforePasswordResetRequest(c.note))
}

// TestTriggerOrder has the order in which parse-server 9.10 calls triggers.
func TestTriggerOrder(t *testing.T) {
	var c calls
	w := start(t, server.Environment{Cloud: c.everything, MailAdapter: inbox{make(chan mail.Message, 10)}}, func(o *config.Options) {
		o.AppName, o.PublicServerURL, o.MailAdapterInCode = "probe", o.ServerURL, true
	})
	var last response
	play := func(want string, status int, method, path, body string, headers map[string]string) {
		t.Helper()
		if last = w.do(method, path, body, headers); last.status != status {
			t.Errorf("%s %s %s: %d %s", method, path, body, last.status, last.body)
		}
		if got := c.taken(); got != want {
			t.Errorf("%s %s %s: %q were called, want %q", method, path, body, got, want)
		}
	}
	play("beforeSave A1, afterSave A1", 201, "POST", "/classes/A", `{"n":1}`, app())
	id := member(t, last.body, "objectId")
	play("beforeSave A2, afterSave A2", 200, "PUT", "/classes/A/"+id, `{"n":{"__op":"Increment","amount":1}}`, app())
	play("beforeSave A3", 400, "PUT", "/classes/A/"+id, `{"n":3,"refuse":true}`, app())
	play("beforeFind A, afterFind A", 200, "GET", "/classes/A/"+id, "", app())
	play("beforeFind A, afterFind A", 200, "GET", "/classes/A", "", app())
	play("beforeDelete A2, afterDelete A2", 200, "DELETE", "/classes/A/"+id, "", app())
	play("", 404, "DELETE", "/classes/A/"+id, "", app())

	play("beforeSave _User, afterSave _User", 201, "POST", "/users", `{"username":"u","password":"p","email":"u@example.com"}`, app())
	user := member(t, last.body, "objectId")
	play("", 404, "POST", "/login", `{"username":"u","password":"wrong"}`, app())
	play("beforeLogin _User, afterLogin _User", 200, "POST", "/login", `{"username":"u","password":"p"}`, app())
	session := app("X-Parse-Session-Token", member(t, last.body, "sessionToken"))
	play("", 200, "POST", "/verifyPassword", `{"username":"u","password":"p"}`, app())
	play("", 200, "POST", "/loginAs", `{"userId":"`+user+`"}`, master())
	play("", 200, "GET", "/users/me", "", session)
	play("beforeSave _User, afterSave _User", 200, "PUT", "/users/"+user, `{"a":1}`, session)
	play("beforePasswordResetRequest _User", 200, "POST", "/requestPasswordReset", `{"email":"u@example.com"}`, app())
	play("", 200, "POST", "/requestPasswordReset", `{"email":"nobody@example.com"}`, app())
	play("afterLogout _Session", 200, "POST", "/logout", `{}`, session)
	play("", 400, "POST", "/logout", `{}`, session)
	play("beforeSave _User, afterSave _User", 201, "POST", "/users", `{"authData":{"anonymous":{"id":"x"}}}`, app())
	play("beforeLogin _User", 200, "POST", "/users", `{"authData":{"anonymous":{"id":"x"}}}`, app())
	play("beforeSave _Role, afterSave _Role", 201, "POST", "/roles", `{"name":"r","ACL":{"*":{"read":true}}}`, master())
	play("beforeDelete _Role, afterDelete _Role", 200, "DELETE", "/roles/"+member(t, last.body, "objectId"), "", master())
	play("beforeSave _Installation, afterSave _Installation", 201, "POST", "/installations", `{"deviceType":"ios","installationId":"a"}`, app())
	play("beforeSave _Installation, afterSave _Installation", 200, "POST", "/installations", `{"deviceType":"ios","installationId":"a","deviceToken":"t"}`, app())
	play("beforeSave _Installation, afterSave _Installation", 201, "POST", "/installations", `{"deviceType":"ios","installationId":"b","deviceToken":"t"}`, app())
	play("beforeDelete _User, afterDelete _User", 200, "DELETE", "/users/"+user, "", master())
}

// TestTriggersAroundTransactions checks that the triggers of a batch that is one transaction run before and after it.
func TestTriggersAroundTransactions(t *testing.T) {
	var c calls
	w := start(t, server.Environment{Cloud: c.everything}, nil)
	create := func(body string) string { return `{"method":"POST","path":"/parse/classes/A","body":` + body + `}` }
	batch := func(subs ...string) response {
		return w.do("POST", "/batch", `{"transaction":true,"requests":[`+strings.Join(subs, ",")+`]}`, app())
	}
	if res := batch(create(`{"n":1}`), create(`{"n":2}`)); res.status != 200 {
		t.Fatalf("%d %s", res.status, res.body)
	}
	if got, want := c.taken(), "beforeSave A1, beforeSave A2, afterSave A1, afterSave A2"; got != want {
		t.Errorf("%q were called, want %q", got, want)
	}
	for name, refused := range map[string]struct {
		subs       []string
		code, runs string
	}{
		"by a trigger":   {[]string{create(`{"n":3}`), create(`{"n":4,"refuse":true}`)}, `"code":141`, "beforeSave A3, beforeSave A4"},
		"by the schema":  {[]string{create(`{"n":5}`), create(`{"n":"text"}`)}, `"code":111`, "beforeSave A5, beforeSave Atext"},
		"for a find":     {[]string{create(`{"n":6}`), `{"method":"GET","path":"/parse/classes/A"}`}, `"code":108`, "beforeSave A6"},
		"for a password": {[]string{create(`{"n":7}`), `{"method":"POST","path":"/parse/requestPasswordReset","body":{"email":"x"}}`}, `"code":`, "beforeSave A7"},
	} {
		if res := batch(refused.subs...); !strings.Contains(res.body, refused.code) {
			t.Errorf("refused %s: %d %s", name, res.status, res.body)
		}
		if got := c.taken(); got != refused.runs {
			t.Errorf("refused %s: %q were called, want %q", name, got, refused.runs)
		}
	}
	if res := w.do("GET", "/aggregate/A?distinct=n", "", master()); res.body != `{"results":[1,2]}` {
		t.Errorf("left behind are %s", res.body)
	}
}

// TestContextOfTransactions: each write of a batch that is one transaction has the client's context, and hands on to its
// after-trigger what its before-trigger has added, and no other's.
func TestContextOfTransactions(t *testing.T) {
	var seen []string
	w := start(t, server.Environment{Cloud: func(c *cloud.Cloud) error {
		note := func(_ context.Context, r *cloud.TriggerRequest) error {
			seen = append(seen, fmt.Sprint(r.Kind, " ", r.Context))
			r.Context["n"] = r.Object.Get("n")
			return nil
		}
		return errors.Join(c.BeforeSave("A", note, cloud.Validator{}), c.AfterSave("A", note, cloud.Validator{}))
	}}, nil)
	const create = `{"method":"POST","path":"/parse/classes/A","body":{"n":%d}}`
	res := w.do("POST", "/batch", `{"transaction":true,"requests":[`+fmt.Sprintf(create+","+create, 1, 2)+`]}`, app("X-Parse-Cloud-Context", `{"from":"client"}`))
	if res.status != 200 {
		t.Fatalf("%d %s", res.status, res.body)
	}
	want := []string{"beforeSave map[from:client]", "beforeSave map[from:client]", "afterSave map[from:client n:1]", "afterSave map[from:client n:2]"}
	if !slices.Equal(seen, want) {
		t.Errorf("seen %q, want %q", seen, want)
	}
}

// TestTriggersCallBack has a webhook that uses the server in each trigger: nothing is held meanwhile that the server needs.
func TestTriggersCallBack(t *testing.T) {
	w := start(t, server.Environment{}, nil)
	hook := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		in := *w
		done := in.do("POST", "/classes/Log", `{"trigger":"`+r.URL.Path[1:]+`"}`, master())
		if read := in.do("GET", "/classes/Log", "", master()); done.status != 201 || read.status != 200 {
			t.Errorf("%s: %d %s, %d", r.URL.Path, done.status, done.body, read.status)
		}
		_, _ = io.WriteString(rw, `{}`)
	}))
	defer hook.Close()
	w.do("POST", "/classes/Log", `{"trigger":"none"}`, master())
	w.do("POST", "/classes/A", `{}`, master())
	w.do("POST", "/users", `{"username":"u","password":"p"}`, app())
	want := []string{"none"}
	for class, kinds := range map[string][]string{
		"A": {"beforeSave", "afterSave", "beforeDelete", "afterDelete", "beforeFind", "afterFind"}, "_User": {"beforeLogin", "afterLogin"}, "_Session": {"afterLogout"},
	} {
		for _, kind := range kinds {
			want = append(want, kind)
			if res := w.do("POST", "/hooks/triggers", `{"className":"`+class+`","triggerName":"`+kind+`","url":"`+hook.URL+`/`+kind+`"}`, master()); res.status != 200 {
				t.Fatal(res.body)
			}
		}
	}
	w.c.Timeout = 20 * time.Second
	id := member(t, w.do("POST", "/classes/A", `{"a":1}`, app()).body, "objectId")
	w.run([]Scenario{
		{Name: "find", Method: "GET", Path: "/classes/A?include=x", Headers: app(), Status: 200},
		{Name: "delete", Method: "DELETE", Path: "/classes/A/" + id, Headers: app(), Status: 200},
	})
	token := member(t, w.do("POST", "/login", `{"username":"u","password":"p"}`, app()).body, "sessionToken")
	w.do("POST", "/logout", `{}`, app("X-Parse-Session-Token", token))
	var got struct{ Results []string }
	if err := json.Unmarshal([]byte(w.do("GET", "/aggregate/Log?distinct=trigger", "", master()).body), &got); err != nil {
		t.Fatal(err)
	}
	slices.Sort(got.Results)
	slices.Sort(want)
	if !slices.Equal(got.Results, want) {
		t.Errorf("called back were %v, want %v", got.Results, want)
	}
}

// TestTriggerReads checks what the gateway is told of answers in which triggers of finds take part.
func TestTriggerReads(t *testing.T) {
	w := start(t, server.Environment{Cloud: triggersInGo, Gateway: true}, nil)
	af := member(t, w.do("POST", "/classes/AF", `{"a":1}`, app()).body, "objectId")
	plain := member(t, w.do("POST", "/classes/Plain", `{"a":1}`, app()).body, "objectId")
	w.do("POST", "/classes/Inc", `{"q":{"__type":"Pointer","className":"AF","objectId":"`+af+`"},"p":{"__type":"Pointer","className":"Plain","objectId":"`+plain+`"},"gone":{"__type":"Pointer","className":"Plain","objectId":"gone"}}`, app())
	for path, want := range map[string]string{
		"/classes/AF": "no-store", "/classes/AF/" + af: "no-store", "/classes/BFO": "no-store",
		"/classes/Plain": "for=everyone", "/classes/Plain/" + plain: "for=everyone", "/classes/Inc": "for=everyone",
		"/classes/Inc?include=q": "no-store", "/classes/Inc?include=p": "", "/classes/Inc?include=gone": "Plain:gone",
		`/classes/Inc?where={"q":{"$inQuery":{"className":"AF","where":{}}}}`:    "no-store",
		`/classes/Inc?where={"p":{"$inQuery":{"className":"Plain","where":{}}}}`: "",
	} {
		res := w.do("GET", path, "", app())
		if got := strings.Join(res.header.Values("X-Parsescale-Reads"), "|"); res.status != 200 || got != want {
			t.Errorf("%s: %d, reads %q, want %q", path, res.status, got, want)
		}
	}
}

// TestWebhooksOfAnotherWorker checks that a webhook counts soon that another process has registered.
func TestWebhooksOfAnotherWorker(t *testing.T) {
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"error":"seen"}`)
	}))
	defer hook.Close()
	uri := config.Secret(testservices.DatabaseURI(t, filepath.Join(t.TempDir(), "parse.db")))
	one := start(t, server.Environment{}, func(o *config.Options) { o.DatabaseURI = uri })
	other := start(t, server.Environment{}, func(o *config.Options) { o.DatabaseURI = uri })
	for _, w := range []*world{one, other} {
		if res := w.do("POST", "/classes/A", `{}`, app()); res.status != 201 {
			t.Fatal(res.body)
		}
	}
	if res := one.do("POST", "/hooks/triggers", `{"className":"A","triggerName":"beforeSave","url":"`+hook.URL+`"}`, master()); res.status != 200 {
		t.Fatal(res.body)
	}
	if res := one.do("POST", "/classes/A", `{}`, app()); res.body != `{"code":141,"error":"seen"}` {
		t.Errorf("the worker that registered it answers %d %s", res.status, res.body)
	}
	for until := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		res := other.do("POST", "/classes/A", `{}`, app())
		if res.status == 400 {
			break
		}
		if time.Now().After(until) {
			t.Fatalf("another worker still answers %d %s", res.status, res.body)
		}
	}
}
