package request

import (
	"net/url"
	"testing"
)

func keyOf(t *testing.T, in Input) Key {
	t.Helper()
	r := Classify(in)
	if !r.Cacheable {
		t.Fatalf("%s %s?%s %s is not cacheable: %s", in.Method, in.Path, in.RawQuery, in.Body, r.Why)
	}
	return r.Key(r.Token())
}

// Each group is one question, asked in different words; no two groups share a key.
func TestKeys(t *testing.T) {
	where := url.QueryEscape(`{"a":{"$gt":1},"b":"x"}`)
	groups := map[string][]Input{
		"find": {
			ask("GET /classes/A", "", app),
			ask("GET //CLASSES/A/", "", app),
			ask("GET /classes/A", "", app, "Cache-Control: no-cache"),
			ask("GET /classes/A", "", app, "X-Parse-Installation-Id: i", "X-Parse-Client-Version: js5"),
			ask("POST /classes/A", `{"_method":"GET","_ApplicationId":"APP"}`),
			ask("POST /classes/A", `{"_InstallationId":"j","_method":"get","_ApplicationId":"APP","_ClientVersion":"js5"}`, "Content-Type: text/plain"),
		},
		"where": {
			ask("GET /classes/A?where="+where+"&limit=2", "", app),
			ask("GET /classes/A?limit=2&where="+where, "", app),
			ask("POST /classes/A", `{"_method":"GET","_ApplicationId":"APP","where":{"b":"x","a":{"$gt":1.0}},"limit":2}`),
			ask("POST /classes/A", ` {"limit":2,"where":{ "a":{"$gt":1e0},"b":"\u0078"},"_method":"GET","_ApplicationId":"APP"}`),
		},
		"other value":         {ask("POST /classes/A", `{"_method":"GET","_ApplicationId":"APP","where":{"b":"y","a":{"$gt":1}},"limit":2}`)},
		"other limit":         {ask("POST /classes/A", `{"_method":"GET","_ApplicationId":"APP","where":{"b":"x","a":{"$gt":1}},"limit":3}`)},
		"other class":         {ask("GET /classes/B", "", app)},
		"class in lower case": {ask("GET /classes/a", "", app)},
		"get":                 {ask("GET /classes/A/b", "", app), ask("POST /classes/A/%62", `{"_method":"GET","_ApplicationId":"APP"}`)},
		"get with include":    {ask("GET /classes/A/b?include=c", "", app)},
		"other app":           {ask("GET /classes/A", "", "X-Parse-Application-Id: APP2")},
		"session": {
			ask("GET /classes/A", "", app, "X-Parse-Session-Token: r:1"),
			ask("POST /classes/A", `{"_method":"GET","_ApplicationId":"APP","_SessionToken":"r:1"}`),
		},
		"other session": {ask("GET /classes/A", "", app, "X-Parse-Session-Token: r:2")},
		"JavaScript key": {
			ask("GET /classes/A", "", app, "X-Parse-Javascript-Key: k"),
			ask("POST /classes/A", `{"_method":"GET","_ApplicationId":"APP","_JavaScriptKey":"k"}`),
		},
		"REST key":         {ask("GET /classes/A", "", app, "X-Parse-REST-API-Key: k")},
		"client key":       {ask("GET /classes/A", "", app, "X-Parse-Client-Key: k")},
		"Windows key":      {ask("GET /classes/A", "", app, "X-Parse-Windows-Key: k")},
		"origin":           {ask("GET /classes/A", "", app, "Origin: http://a")},
		"users by alias":   {ask("GET /users", "", app)},
		"users by class":   {ask("GET /classes/_User", "", app)},
		"a user by alias":  {ask("GET /users/b", "", app)},
		"parts that could": {ask("GET /classes/A", "", "X-Parse-Application-Id: A", "X-Parse-Client-Key: PPk")},
		"run together":     {ask("GET /classes/A", "", "X-Parse-Application-Id: AP", "X-Parse-Client-Key: Pk")},
	}
	seen := map[Key]string{}
	for name, inputs := range groups {
		want := keyOf(t, inputs[0])
		for i, in := range inputs[1:] {
			if got := keyOf(t, in); got != want {
				t.Errorf("%s: form %d has a key of its own", name, i+1)
			}
		}
		if other, ok := seen[want]; ok {
			t.Errorf("%q and %q share a key", name, other)
		}
		seen[want] = name
	}
}

func TestSeedChangesKeys(t *testing.T) {
	in := ask("GET /classes/A", "", app)
	a := keyOf(t, in)
	in.Seed = 7
	if b := keyOf(t, in); a == b || a.Len != b.Len {
		t.Errorf("%v and %v", a, b)
	}
}

func TestKeyOfOthersIsZero(t *testing.T) {
	for _, target := range []string{"POST /classes/A", "GET /config", "GET /classes/A?foo=1"} {
		if r := Classify(ask(target, "", app)); r.Key(r.Token()) != (Key{}) {
			t.Errorf("%s has a key", target)
		}
	}
}
