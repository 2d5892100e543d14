package rest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/parsescale/parsescale/server"
	"github.com/parsescale/parsescale/server/cloud"
	"github.com/parsescale/parsescale/server/parseerror"
)

// TestFileTriggers has Go triggers see and change files on all their ways. What webhooks are told is compared with
// parse-server's end to end.
func TestFileTriggers(t *testing.T) {
	var told []string
	tell := func(kind string) cloud.Trigger {
		return func(_ context.Context, r *cloud.TriggerRequest) error {
			f := r.File
			told = append(told, fmt.Sprint(kind, " ", f.Name[max(0, strings.LastIndex(f.Name, "_")+1):], " ", f.Size, " ", f.URL != "", " ", r.Master, " ", r.User["username"]))
			return nil
		}
	}
	w := start(t, server.Environment{Cloud: func(c *cloud.Cloud) error {
		beforeSave := func(ctx context.Context, r *cloud.TriggerRequest) error {
			_ = tell("beforeSave")(ctx, r)
			switch f := r.File; f.Name {
			case "refused.txt":
				return errors.New("not this one")
			case "coded.txt":
				return parseerror.New(1234, "mine")
			case "elsewhere.txt":
				f.Name, f.URL = "there.txt", "http://x/\"there.txt"
			case "renamed.txt":
				f.Name, f.Directory, f.Metadata = "new.txt", "dir", map[string]any{"m": 1.0}
				f.Content = io.MultiReader(strings.NewReader("first "), f.Content)
			case "badly.txt":
				f.Name = "../x.txt"
			case "nowhere.txt":
				f.Directory = "../x"
			}
			return nil
		}
		beforeFind := func(_ context.Context, r *cloud.TriggerRequest) error {
			if strings.HasSuffix(r.File.Name, "secret.txt") && !r.Master {
				return errors.New("not for you")
			}
			if r.File.Name == "alias.txt" {
				r.File.Name = strings.TrimPrefix(r.Headers["x-real"], "/")
			}
			return nil
		}
		afterFind := func(_ context.Context, r *cloud.TriggerRequest) error {
			if r.Headers["x-load"] != "" {
				r.File.ForceDownload, r.File.ResponseHeaders["X-My"] = true, "field"
			}
			if r.Headers["x-broken"] != "" {
				r.File.Content = io.MultiReader(strings.NewReader("some"), iotest.ErrReader(errors.New("broken")))
			}
			if r.Headers["x-loud"] != "" {
				data, err := io.ReadAll(r.File.Content)
				r.File.Content = bytes.NewReader(bytes.ToUpper(data))
				return err
			}
			return nil
		}
		return errors.Join(
			c.BeforeSave(cloud.Files, beforeSave, cloud.Validator{}), c.AfterSave(cloud.Files, tell("afterSave"), cloud.Validator{}),
			c.BeforeDelete(cloud.Files, tell("beforeDelete"), cloud.Validator{}), c.AfterDelete(cloud.Files, tell("afterDelete"), cloud.Validator{}),
			c.BeforeFind(cloud.Files, beforeFind, cloud.Validator{}), c.AfterFind(cloud.Files, afterFind, cloud.Validator{}),
		)
	}}, nil)
	var up struct{ SessionToken string }
	if err := json.Unmarshal([]byte(w.do("POST", "/users", `{"username":"ann","password":"pw"}`, app()).body), &up); err != nil {
		t.Fatal(err)
	}
	text := app("Content-Type", "text/plain", "X-Parse-Session-Token", up.SessionToken)
	w.run([]Scenario{
		{Name: "refused", Method: "POST", Path: "/files/refused.txt", Headers: text, Body: "x", Status: 400, Exact: `{"code":130,"error":"not this one"}`},
		{Name: "refused with a code", Method: "POST", Path: "/files/coded.txt", Headers: text, Body: "x", Status: 400, Exact: `{"code":1234,"error":"mine"}`},
		{Name: "stored elsewhere", Method: "POST", Path: "/files/elsewhere.txt", Headers: text, Body: "x", Status: 201, Exact: `{"url":"http://x/%22there.txt","name":"there.txt"}`},
		{Name: "a bad name", Method: "POST", Path: "/files/badly.txt", Headers: text, Body: "x", Status: 400, Subset: `{"code":122}`},
		{Name: "a bad folder", Method: "POST", Path: "/files/nowhere.txt", Headers: text, Body: "x", Status: 400, Subset: `{"code":122}`},
	})
	store := func(name, body string) string {
		t.Helper()
		var made struct{ Name string }
		res := w.do("POST", "/files/"+name, body, text)
		if err := json.Unmarshal([]byte(res.body), &made); err != nil || res.status != 201 {
			t.Fatalf("%s: %d %s", name, res.status, res.body)
		}
		return made.Name
	}
	told = nil
	renamed, secret, plain := store("renamed.txt", "second"), store("secret.txt", "s"), store("plain.txt", "some text")
	if !strings.HasPrefix(renamed, "dir/") || !strings.HasSuffix(renamed, "_new.txt") {
		t.Errorf("it is called %q", renamed)
	}
	w.run([]Scenario{
		{Name: "what was made of it", Method: "GET", Path: "/files/APP/" + renamed, Status: 200, Exact: "first second", WantHeaders: map[string]string{"X-Content-Type-Options": "nosniff", "Content-Disposition": ""}},
		{Name: "its metadata", Method: "GET", Path: "/files/APP/metadata/" + renamed, Status: 200, Exact: `{"metadata":{"m":1}}`},
		{Name: "a secret", Method: "GET", Path: "/files/APP/" + secret, Headers: text, Status: 403, Exact: `{"code":141,"error":"not for you"}`},
		{Name: "a secret's metadata", Method: "GET", Path: "/files/APP/metadata/" + secret, Headers: text, Status: 403, Exact: `{"code":141,"error":"not for you"}`},
		{Name: "with the master key", Method: "GET", Path: "/files/APP/" + secret, Headers: master(), Status: 200, Exact: "s"},
		{Name: "another name", Method: "GET", Path: "/files/APP/alias.txt", Headers: app("X-Real", plain), Status: 200, Exact: "some text"},
		{Name: "a part", Method: "GET", Path: "/files/APP/" + plain, Headers: app("Range", "bytes=5-"), Status: 206, Exact: "text"},
		{Name: "to be stored", Method: "GET", Path: "/files/APP/" + plain, Headers: app("X-Load", "1"), Status: 200, Exact: "some text", WantHeaders: map[string]string{"X-My": "field", "Content-Disposition": "attachment;filename=" + plain}},
		{Name: "changed", Method: "GET", Path: "/files/APP/" + plain, Headers: app("X-Loud", "1"), Status: 200, Exact: "SOME TEXT"},
	})
	req, err := http.NewRequest("GET", w.base+"/files/APP/"+plain, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Broken", "1")
	if res, err := w.c.Do(req); err == nil {
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err == nil {
			t.Errorf("a file that can't be read to its end was sent as if %q were all of it", body)
		}
	}
	w.run([]Scenario{
		{Name: "deleted", Method: "DELETE", Path: "/files/" + plain, Headers: master(), Status: 200},
		{Name: "what isn't there", Method: "GET", Path: "/files/APP/" + plain, Status: 404},
	})
	want := []string{
		"beforeSave renamed.txt 6 false false ann", "afterSave new.txt 12 true false ann", "beforeSave secret.txt 1 false false ann", "afterSave secret.txt 1 true false ann",
		"beforeSave plain.txt 9 false false ann", "afterSave plain.txt 9 true false ann", "beforeDelete plain.txt -1 true true <nil>", "afterDelete plain.txt -1 true true <nil>",
	}
	if got := strings.Join(told, "\n"); got != strings.Join(want, "\n") {
		t.Errorf("told\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
}

func TestConfigTriggers(t *testing.T) {
	var told []string
	tell := func(_ context.Context, r *cloud.TriggerRequest) error {
		note := fmt.Sprint(r.Kind, " ", r.Object.Values(), " ", r.Master, " ", r.Context)
		if r.Original != nil {
			note += fmt.Sprint(" was ", r.Original.Values())
		}
		told = append(told, note)
		if r.Object.Get("bad") != nil {
			return errors.New("bad")
		}
		return nil
	}
	w := start(t, server.Environment{Cloud: func(c *cloud.Cloud) error {
		return errors.Join(c.BeforeSave(cloud.Config, tell, cloud.Validator{}), c.AfterSave(cloud.Config, tell, cloud.Validator{}))
	}}, nil)
	w.run([]Scenario{
		{Name: "new", Method: "PUT", Path: "/config", Headers: master("X-Parse-Cloud-Context", `{"c":1}`), Body: `{"params":{"a":1}}`, Status: 200, Exact: `{"result":true}`},
		{Name: "refused", Method: "PUT", Path: "/config", Headers: master(), Body: `{"params":{"bad":1}}`, Status: 400, Exact: `{"code":141,"error":"bad"}`},
		{Name: "changed", Method: "PUT", Path: "/config", Headers: master(), Body: `{"params":{"b":2}}`, Status: 200, Exact: `{"result":true}`},
		{Name: "what is there", Method: "GET", Path: "/config", Headers: master(), Status: 200, Subset: `{"params":{"a":1,"b":2}}`},
	})
	want := []string{
		"beforeSave map[a:1] true map[c:1]", "afterSave map[a:1] true map[c:1]", "beforeSave map[bad:1] true map[] was map[a:1]",
		"beforeSave map[b:2] true map[] was map[a:1]", "afterSave map[a:1 b:2] true map[] was map[a:1]",
	}
	if got := strings.Join(told, "\n"); got != strings.Join(want, "\n") {
		t.Errorf("told\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
}
