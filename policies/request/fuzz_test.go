package request

import (
	"encoding/json"
	"maps"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"
)

// The reference: what parse-server makes of a body, slowly. Undecided cases count as a write.

// slowBody is the object in a body, nil if the worker sees none.
func slowBody(in *Input) map[string]any {
	var o map[string]any
	if !slowJSON(in.Body, &o) {
		return nil
	}
	return o
}

// slowMethod is the method that the worker goes by.
func slowMethod(in *Input) string {
	if in.Method != http.MethodPost {
		return in.Method
	}
	if !in.BodyComplete || in.Header["Content-Type"] == nil || strings.HasPrefix(in.Header.Get("Content-Type"), "multipart/") || strings.Contains(in.Header.Get("Content-Type"), "urlencoded") {
		return http.MethodPost
	}
	if m, _ := slowBody(in)["_method"].(string); m != "" {
		return strings.ToUpper(m)
	}
	return http.MethodPost
}

func slowIsRead(in *Input) bool {
	first, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(in.Path, "/"), "/"), "/")
	first = strings.ToLower(first)
	if in.Method == http.MethodOptions || first == "health" {
		return true
	}
	switch slowMethod(in) {
	case http.MethodGet, http.MethodHead:
		return first != "login" && first != "verifypassword" && first != "apps"
	case http.MethodPost:
		if first != "batch" {
			return false
		}
		list, ok := slowBody(in)["requests"].([]any)
		if !ok {
			return false
		}
		for _, x := range list {
			sub, _ := x.(map[string]any)
			path, _ := sub["path"].(string)
			below, ok := strings.CutPrefix(path, in.Mount)
			if sub["method"] != http.MethodGet || !ok || !slowIsRead(&Input{Method: http.MethodGet, Path: below}) {
				return false
			}
		}
		return true
	}
	return false
}

func FuzzClassify(f *testing.F) {
	for _, s := range [][6]string{
		{"GET", "/classes/A", "where=%7B%22a%22%3A1%7D&limit=2", "", "", "APP"},
		{"POST", "/classes/A", "", "text/plain", `{"_method":"GET","where":{"a":1},"_ApplicationId":"APP","_SessionToken":"r:1"}`, ""},
		{"POST", "/classes/A", "", "", `{"_method":"GET","_m\u0065thod":"PUT"}`, ""},
		{"POST", "/classes/A", "", "multipart/form-data", `{"_method":"GET"}`, "APP"},
		{"POST", "/batch", "", "", `{"requests":[{"method":"GET","path":"/parse/classes/A","method":"POST"}]}`, "APP"},
		{"POST", "/batch", "", "", `{"requests":[{"method":"GET","path":"/parse/login"}]}`, "APP"},
		{"HEAD", "//Login/", "", "", "", "APP"},
		{"POST", "/classes/A", "", "", `{"_method":"GET","_MasterKey":"m","_ApplicationId":"APP"}`, ""},
		{"PUT", "/classes/A/b", "", "", `{"_method":"GET","r":{"__op":"AddRelation"}}`, "APP"},
		{"GET", "/classes/%41/%2e", "a=&b", "", "", ""},
		{"POST", "/files/x", "", "", `{"_method":"GET"}`, ""},
	} {
		f.Add(s[0], s[1], s[2], s[3], []byte(s[4]), s[5], true)
	}
	f.Fuzz(func(t *testing.T, method, path, raw, contentType string, body []byte, appID string, complete bool) {
		in := Input{Method: method, Path: path, RawQuery: raw, Header: http.Header{}, Body: body, BodyComplete: complete, Mount: "/parse"}
		if contentType != "" {
			in.Header.Set("Content-Type", contentType)
		}
		if appID != "" {
			in.Header.Set("X-Parse-Application-Id", appID)
		}
		r := Classify(in)
		if !r.Write && !slowIsRead(&in) {
			t.Fatalf("called a read, but the server may take it for a write: %s %s %q: %+v", method, path, body, r)
		}
		if !r.Write && r.Classes != nil {
			t.Fatalf("a read that changes %v", r.Classes)
		}
		if r.Cost < 1 {
			t.Fatalf("cost %d", r.Cost)
		}
		if r.Cacheable == (r.Why != "") {
			t.Fatalf("cacheable %v, why %q", r.Cacheable, r.Why)
		}
		if !r.Cacheable {
			return
		}
		o := slowBody(&in)
		if r.Write || r.Privileged || r.Query == nil || r.Op != Find && r.Op != Get || !complete || o["_MasterKey"] != nil || o["_context"] != nil {
			t.Fatalf("cacheable: %+v", r)
		}
		wantApp, wantSession := appID, ""
		if s, ok := o["_ApplicationId"].(string); ok && appID == "" {
			wantApp = s
			wantSession, _ = o["_SessionToken"].(string)
		}
		if r.AppID != wantApp || r.Session != wantSession {
			t.Fatalf("app %q session %q, want %q %q", r.AppID, r.Session, wantApp, wantSession)
		}
		if r.Key(r.Token()) == (Key{}) || r.Key(r.Token()) != r.Key(r.Token()) {
			t.Fatal("no steady key")
		}
	})
}

// FuzzKeys writes a question anew as another JSON library does, which changes order, white space, escapes and numbers:
// that must neither change its key nor whether it is cached. And a question in which one value differs has another key.
func FuzzKeys(f *testing.F) {
	for _, s := range []string{
		`{"where":{"a":{"$gt":1.50,"$lt":3e2},"b":"\u00e9\ud83d\ude00"},"limit":10,"keys":"a,b"}`,
		`{"where":{"$or":[{"a":1},{"b":{"$in":["x",1,null,true]}}]},"order":"-a","count":1}`,
		`{"where":{"d":{"__type":"Date","iso":"2020-01-01T00:00:00.000Z"},"p":{"__type":"Pointer","className":"B","objectId":"x"}}}`,
		`{"where":{"a":{"$eq":1},"$and":[{"b":2}]},"include":"p.q","skip":-0.0}`,
		`{"where":"{\"a\":1}","limit":"5"}`,
		`{"where":{"a":9007199254740993,"b":1e400,"c":0.1}}`,
		`{"where":{"a":{"$inQuery":{"where":{"x":1},"className":"B"}}}}`,
	} {
		f.Add(s)
	}
	classified := func(body []byte) Request {
		return Classify(Input{Method: "POST", Path: "/classes/A", Header: http.Header{}, Body: body, BodyComplete: true, Mount: "/parse"})
	}
	f.Fuzz(func(t *testing.T, text string) {
		var o map[string]any
		if json.Unmarshal([]byte(text), &o) != nil || o == nil || !utf8.ValidString(text) {
			return
		}
		for name := range o {
			if name == "" || name[0] == '_' {
				return
			}
		}
		again := func(changes map[string]any) []byte {
			all := map[string]any{"_method": "GET", "_ApplicationId": "app"}
			maps.Copy(all, o)
			maps.Copy(all, changes)
			b, err := json.MarshalIndent(all, "", " ")
			if err != nil {
				t.Skip("it isn't JSON for the library either")
			}
			return b
		}
		first := classified([]byte(`{"_method":"GET","_ApplicationId":"app",` + strings.TrimPrefix(strings.TrimSpace(text), "{")))
		second := classified(again(nil))
		if !first.Cacheable {
			return
		}
		if !second.Cacheable || first.Key(Scope{}) != second.Key(Scope{}) {
			t.Fatalf("another key, or cached no more (%s):\n%s\n%s", second.Why, text, again(nil))
		}
		// A condition more makes another question.
		where, _ := o["where"].(map[string]any)
		narrowed := maps.Clone(where)
		if narrowed == nil {
			narrowed = map[string]any{}
		}
		if _, there := narrowed["fuzzed"]; there || o["where"] != nil && where == nil {
			return
		}
		narrowed["fuzzed"] = "x"
		third := classified(again(map[string]any{"where": narrowed}))
		if third.Cacheable && third.Key(Scope{}) == first.Key(Scope{}) {
			t.Fatalf("a condition more, and the same key: %s", text)
		}
	})
}
