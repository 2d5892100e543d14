package e2e

import (
	"encoding/base64"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// inventions are requests with an invented session token or client key, TOKEN, in all the places where a client may put one, at
// all the operations that a worker may answer with success though it doesn't know it. KEY is the header field of the one.
var inventions = []struct {
	name, method, path, body string
	header                   []string // in place of what clients send
}{
	{"a find", "GET", "/classes/A", "", []string{"KEY", "TOKEN"}},
	{"a get", "GET", "/classes/A/x", "", []string{"KEY", "TOKEN"}},
	{"a find of users", "GET", "/users", "", []string{"KEY", "TOKEN"}},
	{"a count", "GET", "/classes/A?count=1&limit=0", "", []string{"KEY", "TOKEN"}},
	{"a create", "POST", "/classes/A", `{"a":1}`, []string{"KEY", "TOKEN"}},
	{"a batch", "POST", "/batch", `{"requests":[{"method":"POST","path":"/parse/classes/A","body":{}}]}`, []string{"KEY", "TOKEN"}},
	{"an empty batch", "POST", "/batch", `{"requests":[]}`, []string{"KEY", "TOKEN"}},
	{"a batch of a log-in", "POST", "/batch", `{"requests":[{"method":"POST","path":"/parse/login","body":{"username":"ann","password":"p"}}]}`, []string{"KEY", "TOKEN"}},
	{"a function", "POST", "/functions/nothing", `{}`, []string{"KEY", "TOKEN"}},
	{"who one is", "GET", "/users/me", "", []string{"KEY", "TOKEN"}},
	{"a log-in", "POST", "/login", `{"username":"ann","password":"p"}`, []string{"KEY", "TOKEN"}},
	{"a log-in by GET", "GET", "/login?username=ann&password=p", "", []string{"KEY", "TOKEN"}},
	{"a log-out", "POST", "/logout", `{}`, []string{"KEY", "TOKEN"}},
	{"the configuration", "GET", "/config", "", []string{"KEY", "TOKEN"}},
	{"a health check", "GET", "/health", "", []string{"KEY", "TOKEN"}},
	{"a file", "GET", "/files/" + appID + "/f.txt", "", []string{"KEY", "TOKEN"}},
	{"a find with the master key", "GET", "/classes/A", "", []string{"KEY", "TOKEN", "X-Parse-Master-Key", masterKey}},
	{"a find with Basic credentials", "GET", "/classes/A", "", []string{"KEY", "TOKEN", "Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte(appID+":javascript-key="+jsKey))}},
	{"a find with the SDK's credentials in the body", "POST", "/classes/A", `{"_method":"GET","_ApplicationId":"` + appID + `","_JavaScriptKey":"` + jsKey + `","_SessionToken":""}`, []string{"KEY", "TOKEN", "X-Parse-Application-Id", "", "X-Parse-REST-API-Key", ""}},
	{"a find with all credentials in both", "POST", "/classes/A", `{"_method":"GET","_ApplicationId":"` + appID + `","_JavaScriptKey":"` + jsKey + `"}`, []string{"KEY", "TOKEN"}},
	{"a find with an array of credentials", "POST", "/classes/A", `{"_method":"GET","_ApplicationId":["` + appID + `"],"_JavaScriptKey":"` + jsKey + `","_SessionToken":[]}`, []string{"KEY", "TOKEN"}},
	{"a form", "POST", "/classes/A", `_method=GET`, []string{"KEY", "TOKEN", "Content-Type", "application/x-www-form-urlencoded"}},
	{"a find with an escaped path", "GET", "/%63lasses/A", "", []string{"KEY", "TOKEN"}},
}

// TestInventedKeys: whatever workers answer to invented session tokens and client keys, those are counted by the address. A
// token that was taken for known would have a rate of its own with the next request.
func TestInventedKeys(t *testing.T) {
	node := startParseServers(t, 1, map[string]any{"masterKeyIps": []string{"0.0.0.0/0", "::0"}})[0]
	remaining := regexp.MustCompile(`;r=(\d+)`)
	for _, key := range []struct{ name, field string }{{"session", "X-Parse-Session-Token"}, {"user", "X-Parse-Session-Token"}, {"api_key", "X-Parse-Windows-Key"}} {
		limit := "rate_limit {\nkey " + key.name + "\ndefault 1000/1h\n}"
		for workers, caddyfile := range map[string]string{
			"bundled": bundledApp("", limit),
			"Node":    "{\nadmin ADMIN\nparse {\nupstreams " + node.Address + "\napp_id " + appID + "\n}\n}\nADDRESS {\nparse /parse/* {\n" + limit + "\n}\n}\n",
		} {
			t.Run(workers+" by "+key.name, func(t *testing.T) {
				c := newClient(t, startGateway(t, caddyfile).url())
				_, _ = c.do("POST", "/users", `{"username":"ann","password":"p"}`) // Node's has her from the first time on
				left := 1001
				succeeded := 0
				for i, invented := range inventions {
					token := fmt.Sprintf("r:%032d", i)
					replace := strings.NewReplacer("TOKEN", token, "KEY", key.field)
					var header []string
					for _, text := range invented.header {
						header = append(header, replace.Replace(text))
					}
					t.Run(invented.name, func(t *testing.T) {
						a, err := c.with(header...).do(invented.method, invented.path, invented.body)
						if err != nil {
							t.Fatal(err)
						}
						if a.status/100 == 2 {
							succeeded++
						}
						again := c.with(key.field, token)
						if key.name == "api_key" {
							again = again.with("X-Parse-REST-API-Key", "") // by which it would be counted
						}
						if a, err = again.do("GET", "/classes/A", ""); err != nil {
							t.Fatal(err)
						}
						found := remaining.FindStringSubmatch(a.header.Get("RateLimit"))
						if found == nil {
							t.Fatalf("RateLimit is %q: %s", a.header.Get("RateLimit"), a.body)
						}
						n, err := strconv.Atoi(found[1])
						if err != nil || n >= left {
							t.Errorf("%d units are left, and %d of the address before", n, left)
						}
						left = n
					})
				}
				if succeeded < 3 {
					t.Errorf("%d requests were answered with success: the test shows little", succeeded)
				}
			})
		}
	}
}
