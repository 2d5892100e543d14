package rest_test

import (
	"context"
	"crypto/rsa"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/parsescale/parsescale/server"
	"github.com/parsescale/parsescale/server/config"
	"github.com/parsescale/parsescale/server/identity"
	"github.com/parsescale/parsescale/server/identity/builtin"
	"github.com/parsescale/parsescale/server/identity/builtin/ldaptest"
	"github.com/parsescale/parsescale/server/identity/idtoken/tokentest"
	"github.com/parsescale/parsescale/server/identity/mfa"
)

const totpSecret = "JBSWY3DPEHPK3PXPJBSWY3DP"

// club is a worker with auth providers: Google, Facebook, Apple, GitHub, one with token introspection, and LDAP. An HTTP server
// plays all but the last, which tests can't reach; LDAP is a real server.
type club struct {
	*world
	google func(subject, audience string) string // makes ID tokens
	now    func() string                         // the one-time password of totpSecret
}

func openClub(t *testing.T) *club {
	t.Helper()
	reply := func(w http.ResponseWriter, v any) { _ = json.NewEncoder(w).Encode(v) }
	type m = map[string]any
	mux := http.NewServeMux()
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(tokentest.KeySet(t, map[string]*rsa.PrivateKey{"k": tokentest.Key(t, 0)}))
	})
	mux.HandleFunc("/graph/", func(w http.ResponseWriter, r *http.Request) {
		app, user, _ := strings.Cut(r.URL.Query().Get("access_token"), ":")
		reply(w, m{"id": map[bool]string{true: app, false: user}[r.URL.Path == "/graph/app"]})
	})
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) {
		var body map[string]string
		_ = json.NewDecoder(r.Body).Decode(&body)
		if body["code"] != "right" {
			reply(w, m{"error": "bad_verification_code"})
			return
		}
		reply(w, m{"access_token": "gho_1"})
	})
	mux.HandleFunc("/user", func(w http.ResponseWriter, _ *http.Request) { reply(w, m{"id": 583231, "login": "octocat"}) })
	mux.HandleFunc("POST /introspect", func(w http.ResponseWriter, r *http.Request) {
		app, user, ok := strings.Cut(r.FormValue("token"), ":")
		reply(w, m{"active": ok, "sub": user, "aud": app})
	})
	providers := httptest.NewServer(mux)
	t.Cleanup(providers.Close)
	directory := ldaptest.Start(t, ldaptest.Directory{
		Users:  map[string]string{"uid=ann,ou=people,o=x": "pw", "uid=bob,ou=people,o=x": "pw"},
		Groups: map[string][]string{"staff": {"ann"}},
	})
	second, err := mfa.New(mfa.Options{Options: []string{"TOTP"}})
	if err != nil {
		t.Fatal(err)
	}
	env := server.Environment{
		AuthEndpoints: builtin.Endpoints{
			AppleKeys: providers.URL + "/keys", GoogleKeys: providers.URL + "/keys", FacebookKeys: providers.URL + "/keys",
			FacebookGraph: providers.URL + "/graph/", GitHubToken: providers.URL + "/token", GitHubUser: providers.URL + "/user",
		},
		AuthAdapters: map[string]identity.Adapter{"door": identity.Functions{
			ValidateAuthData: func(context.Context, *identity.Request) (identity.Outcome, error) { return identity.Outcome{}, nil },
			Challenged: func(_ context.Context, data any, r *identity.Request) (any, error) {
				return map[string]any{"for": data, "user": r.UserID}, nil
			},
		}},
	}
	c := &club{world: start(t, env, func(o *config.Options) {
		o.Auth = config.AuthProviders{
			"google": m{"clientId": "app"}, "apple": m{"clientId": "app"}, "facebook": m{"appIds": []any{"fb"}},
			"github": m{"clientId": "i", "clientSecret": "s"}, "mfa": m{"options": []any{"TOTP"}},
			"idp":  m{"oauth2": true, "tokenIntrospectionEndpointUrl": providers.URL + "/introspect", "appidField": "aud", "appIds": []any{"app"}},
			"ldap": m{"url": directory.URL, "suffix": "ou=people,o=x", "groupCn": "staff", "groupFilter": "(memberUid={{id}})"},
		}
		o.ReadOnlyMasterKey = "READONLY"
	})}
	c.google = func(subject, audience string) string {
		return tokentest.Sign(t, jose.RS256, tokentest.Key(t, 0), "k", m{
			"iss": "https://accounts.google.com", "aud": audience, "sub": subject, "exp": time.Now().Add(time.Hour).Unix(),
		})
	}
	c.now = func() string {
		token, err := second.Token(totpSecret, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	return c
}

func TestLogInsOfProviders(t *testing.T) {
	c := openClub(t)
	for _, tt := range []struct{ name, authData, stored, master string }{
		{"google", `{"google":{"id":"g1","id_token":"` + c.google("g1", "app") + `"}}`, `"google":{"id":"g1",`, `"google":{"id":"g1",`},
		{"facebook", `{"facebook":{"id":"f1","access_token":"fb:f1"}}`, `{"facebook":{"id":"f1","access_token":"fb:f1"}}`, `{"facebook":{"id":"f1","access_token":"fb:f1"}}`},
		{"github", `{"github":{"code":"right"}}`, `{"github":{"id":"583231"}}`, `{"github":{"id":"583231"}}`},
		{"oauth2", `{"idp":{"id":"o1","access_token":"app:o1"}}`, `{"idp":{"id":"o1","access_token":"app:o1"}}`, `{"idp":{"id":"o1","access_token":"app:o1"}}`},
		// GHSA-4w46-w44m-3jq3: the password isn't stored.
		{"ldap", `{"ldap":{"id":"ann","password":"pw"}}`, `{"ldap":{"id":"ann"}}`, `{"ldap":{"id":"ann"}}`},
		{"a site's own", `{"door":{"id":"d1"}}`, `{"door":{"id":"d1"}}`, `{"door":{"id":"d1"}}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			made := c.do("POST", "/users", `{"authData":`+tt.authData+`}`, app())
			if made.status != 201 || !strings.Contains(made.body, `"authDataResponse":{}`) {
				t.Fatalf("%d %s", made.status, made.body)
			}
			id, token := member(t, made.body, "objectId"), member(t, made.body, "sessionToken")
			again := c.do("POST", "/users", `{"authData":`+tt.authData+`}`, app())
			if again.status != 200 || member(t, again.body, "objectId") != id || !strings.Contains(again.body, tt.stored) || !strings.Contains(again.body, `"sessionToken":"r:`) {
				t.Errorf("%d %s", again.status, again.body)
			}
			if me := c.do("GET", "/users/me", "", as(token)); !strings.Contains(me.body, tt.stored) {
				t.Errorf("%d %s", me.status, me.body)
			}
			if user := c.do("GET", "/users/"+id, "", app("X-Parse-Master-Key", "MASTER")); !strings.Contains(user.body, tt.master) {
				t.Errorf("%d %s", user.status, user.body)
			}
			if other := c.do("GET", "/users/"+id, "", app()); other.status != 404 {
				t.Errorf("%d %s", other.status, other.body)
			}
		})
	}
}

// TestAuthAdvisories sends the requests of parse-server's past advisories on auth adapters, authData and second factors.
func TestAuthAdvisories(t *testing.T) {
	c := openClub(t)
	signUp := func(name string) (id, token string) {
		res := c.do("POST", "/users", `{"username":"`+name+`","password":"pw"}`, app())
		return member(t, res.body, "objectId"), member(t, res.body, "sessionToken")
	}
	alice, aliceToken := signUp("alice")
	bob, bobToken := signUp("bob")
	carol, carolToken := signUp("carol")
	link := func(id, token, authData string) response {
		t.Helper()
		res := c.do("PUT", "/users/"+id, `{"authData":`+authData+`}`, as(token))
		if res.status != 200 {
			t.Fatalf("%d %s", res.status, res.body)
		}
		return res
	}
	link(carol, carolToken, `{"idp":{"id":"carol","access_token":"app:carol"}}`)
	link(alice, aliceToken, `{"idp":{"id":"alice","access_token":"app:alice"},"github":{"code":"right"}}`)
	var linked struct {
		AuthDataResponse struct{ MFA struct{ Recovery string } }
	}
	if err := json.Unmarshal([]byte(link(alice, aliceToken, `{"mfa":{"secret":"`+totpSecret+`","token":"`+c.now()+`"}}`).body), &linked); err != nil {
		t.Fatal(err)
	}
	code, _, _ := strings.Cut(linked.AuthDataResponse.MFA.Recovery, ", ")
	if code == "" {
		t.Fatal("no recovery codes")
	}
	key := tokentest.Key(t, 0)
	claims := map[string]any{"iss": "https://accounts.google.com", "aud": "app", "sub": "g", "exp": time.Now().Add(time.Hour).Unix()}
	pem, err := json.Marshal(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	confused := tokentest.Sign(t, jose.HS256, []byte(strings.Repeat(string(pem), 2)), "k", claims)
	const password = `"username":"bob","password":"pw",`
	for _, tt := range []struct {
		id, method, path, body, token string
		code, status                  int
	}{
		{"GHSA-x6fw-778m-wr9v", "POST", "/users", `{"authData":{"google":{"id":"g","id_token":"` + c.google("g", "another-app") + `"}}}`, "", 101, 404},
		{"GHSA-4q3h-vp4r-prv2", "POST", "/users", `{"authData":{"google":{"id":"g","id_token":"` + confused + `"}}}`, "", 101, 404},
		{"GHSA-4q3h-vp4r-prv2", "POST", "/users", `{"authData":{"google":{"id":"g","id_token":"eyJhbGciOiJub25lIn0.eyJzdWIiOiJnIiwiYXVkIjoiYXBwIn0."}}}`, "", 101, 404},
		{"GHSA-69xg-f649-w5g2", "POST", "/users", `{"authData":{"idp":{"id":"u","access_token":"other:u"}}}`, "", 101, 404},
		{"GHSA-fr88-w35c-r596", "POST", "/users", `{"authData":{"idp":{"id":"carol","access_token":"app:eve"}}}`, "", 101, 404},
		{"GHSA-837q-jhwx-cmpv", "POST", "/users", `{"authData":{"facebook":{"id":"f","access_token":"other:f"}}}`, "", 101, 404},
		{"GHSA-7m6r-fhh7-r47c", "POST", "/users", `{"authData":{"ldap":{"id":"*)(uid=*","password":"pw"}}}`, "", 101, 404},
		{"GHSA-7m6r-fhh7-r47c", "POST", "/users", `{"authData":{"ldap":{"id":"ann,ou=people,o=x","password":"pw"}}}`, "", 101, 404},
		{"GHSA-863r-39r9-vfcf", "POST", "/users", `{"authData":{"ldap":{"id":"ann","password":""}}}`, "", 101, 404},
		{"GHSA-863r-39r9-vfcf", "POST", "/users", `{"authData":{"ldap":{"id":"ann"}}}`, "", 101, 404},
		// As in parse-server, an error 101 of an update of a user is 206 to the client.
		{"GHSA-8w3j-g983-8jh5", "PUT", "/users/" + bob, `{"authData":{"idp":{"id":"alice","access_token":"app:bob"}}}`, bobToken, 206, 400},
		{"GHSA-8w3j-g983-8jh5", "PUT", "/users/" + bob, `{"authData":{"idp":{"id":"alice","access_token":"app:alice"}}}`, bobToken, 208, 400},
		{"GHSA-pfj7-wv7c-22pr", "POST", "/users", `{"authData":{"github":{"id":"583231"}}}`, "", 142, 400},
		{"GHSA-pfj7-wv7c-22pr", "POST", "/users", `{"authData":{"idp":{"id":"carol"}}}`, "", 101, 404},
		{"GHSA-mr43-w6c2-mvjq", "POST", "/login", `{` + password + `"authData":{"github":{"code":"right"}}}`, "", 208, 400},
		{"GHSA-mr43-w6c2-mvjq", "POST", "/login", `{` + password + `"authData":{"github":{"id":"583231"}}}`, "", 142, 400},
		{"GHSA-mr43-w6c2-mvjq", "POST", "/challenge", `{"authData":{"github":{"id":"583231"}},"challengeData":{"door":1}}`, "", 101, 404},
		{"GHSA-5fw2-8jcv-xh87", "POST", "/users", `{"authData":{"idp":{"id":{"$ne":null},"access_token":"app:x"}}}`, "", 162, 400},
		{"GHSA-5fw2-8jcv-xh87", "POST", "/challenge", `{"authData":{"door":{"id":{"$ne":null}}},"challengeData":{"door":1}}`, "", 162, 400},
		{"GHSA-wjqw-r9x4-j59v", "POST", "/users", `{"authData":{"idp":{}}}`, "", 200, 400},
		{"GHSA-g4cf-xj29-wqqr", "POST", "/login", `{` + password + `"authData":{"nosuch":{"id":"x"}}}`, "", 252, 400},
		// The second factor: by password, by provider, from the query string, and in a batch.
		{"log-in without it", "POST", "/login", `{"username":"alice","password":"pw"}`, "", -1, 400},
		{"log-in without it", "GET", "/login?username=alice&password=pw", "", "", -1, 400},
		{"log-in with it in the URL", "GET", "/login?username=alice&password=pw&authData=" + url.QueryEscape(`{"mfa":{"token":"`+code+`"}}`), "", "", -1, 400},
		{"log-in by a provider without it", "POST", "/users", `{"authData":{"idp":{"id":"alice","access_token":"app:alice"}}}`, "", -1, 400},
		{"log-in by a provider with a wrong one", "POST", "/users", `{"authData":{"idp":{"id":"alice","access_token":"app:alice"},"mfa":{"token":"x"}}}`, "", 141, 400},
		{"GHSA-4hf6-3x24-c9m8", "POST", "/login", `{"username":"alice","password":"pw","authData":{"mfa":{"token":"` + code + `"}}}`, "", 0, 200},
		{"GHSA-4hf6-3x24-c9m8", "POST", "/login", `{"username":"alice","password":"pw","authData":{"mfa":{"token":"` + code + `"}}}`, "", 141, 400},
		{"another's second factor", "PUT", "/users/" + alice, `{"authData":{"mfa":null}}`, bobToken, 206, 400},
		{"another's second factor", "PUT", "/users/" + alice, `{"authData":{"mfa":null}}`, "", 206, 400},
	} {
		res := c.do(tt.method, tt.path, tt.body, as(tt.token))
		var got struct{ Code int }
		if err := json.Unmarshal([]byte(res.body), &got); err != nil || got.Code != tt.code || res.status != tt.status {
			t.Errorf("%s: %s %s %s\n got %d %s", tt.id, tt.method, tt.path, tt.body, res.status, res.body)
		}
		if strings.Contains(res.body, totpSecret) || strings.Contains(res.body, code) {
			t.Errorf("%s: a secret is told: %s", tt.id, res.body)
		}
	}
	// GHSA-wp76-gg32-8258, GHSA-37mj-c2wf-cx96: nothing that a user can ask for tells the secret.
	for _, ask := range []struct{ method, path, body, token string }{
		{"GET", "/users/me", "", aliceToken}, {"GET", "/users/" + alice, "", aliceToken}, {"GET", "/users", "", aliceToken},
		{"GET", "/users?include=x", "", aliceToken}, {"GET", "/sessions/me?include=user", "", aliceToken}, {"GET", "/sessions?include=user", "", aliceToken},
		{"POST", "/verifyPassword", `{"username":"alice","password":"pw"}`, ""}, {"GET", "/users/" + alice, "", bobToken},
		{"POST", "/login", `{"username":"alice","password":"pw","authData":{"mfa":{"token":"` + c.now() + `"}}}`, ""},
		{"POST", "/users", `{"authData":{"idp":{"id":"alice","access_token":"app:alice"},"mfa":{"token":"` + c.now() + `"}}}`, ""},
		{"POST", "/batch", `{"requests":[{"method":"GET","path":"/parse/users/` + alice + `"}]}`, aliceToken},
	} {
		res := c.do(ask.method, ask.path, ask.body, as(ask.token))
		if strings.Contains(res.body, totpSecret) || strings.Contains(res.body, "recovery") || strings.Contains(res.body, "gho_1") {
			t.Errorf("%s %s tells a secret: %s", ask.method, ask.path, res.body)
		}
	}
}

// TestAuthAdvisoriesAtTheStart: options of adapters with which a check would be left out are refused.
func TestAuthAdvisoriesAtTheStart(t *testing.T) {
	const idp = `"oauth2":true,"tokenIntrospectionEndpointUrl":"https://x.example/introspect"`
	for _, tt := range []struct {
		id, auth string
		refused  bool
	}{
		{"a sound one", `"idp":{` + idp + `,"appidField":"aud","appIds":["app"],"useridField":"sub"}`, false},
		{"GHSA-69xg-f649-w5g2", `"idp":{` + idp + `,"appIds":["app"]}`, true},
		{"GHSA-2cjm-2gwv-m892", `"idp":{` + idp + `,"appidField":"aud"}`, true},
		{"GHSA-2cjm-2gwv-m892", `"idp":{` + idp + `,"appidField":"aud","appIds":[]}`, true},
		{"GHSA-2cjm-2gwv-m892", `"idp":{` + idp + `,"appidField":"aud","appIds":[""]}`, true},
		{"GHSA-2cjm-2gwv-m892", `"idp":{` + idp + `,"appidField":"aud","appIds":"app"}`, true},
		{"GHSA-2cjm-2gwv-m892", `"idp":{"oauth2":true}`, true},
		{"a sound one", `"facebook":{"appIds":["fb"]}`, false},
		{"GHSA-r657-33vp-gp22", `"facebook":{"appIds":"fb"}`, true},
		{"GHSA-r657-33vp-gp22", `"facebook":{"appIds":[]}`, true},
		{"GHSA-r657-33vp-gp22", `"facebook":{"appIds":[""]}`, true},
		{"GHSA-x6fw-778m-wr9v", `"google":{}`, true},
		{"GHSA-x6fw-778m-wr9v", `"apple":{"clientId":""}`, true},
		{"GHSA-x6fw-778m-wr9v", `"apple":{"clientId":[]}`, true},
	} {
		if got := refusedOption(`"auth":{`+tt.auth+`}`)(t, nil); got != tt.refused {
			t.Errorf("%s: %s: refused %v, want %v", tt.id, tt.auth, got, tt.refused)
		}
	}
}

func TestChallengesOverHTTP(t *testing.T) {
	c := openClub(t)
	res := c.do("POST", "/users", `{"username":"ann","password":"pw"}`, app())
	id, token := member(t, res.body, "objectId"), member(t, res.body, "sessionToken")
	c.run([]Scenario{
		{Name: "nothing", Method: "POST", Path: "/challenge", Body: `{}`, Headers: app(), Status: 400, Exact: `{"code":-1,"error":"Nothing to challenge."}`},
		{Name: "an empty list of providers", Method: "POST", Path: "/challenge", Body: `{"challengeData":{}}`, Headers: app(), Status: 200, Exact: `{"challengeData":{}}`},
		{Name: "nobody", Method: "POST", Path: "/challenge", Body: `{"challengeData":{"door":1,"mfa":1,"nosuch":1}}`, Headers: app(), Status: 200, Exact: `{"challengeData":{"door":{"for":1,"user":""}}}`},
		{Name: "a user", Method: "POST", Path: "/challenge", Body: `{"username":"ann","password":"pw","challengeData":{"door":1}}`, Headers: app(), Status: 200, Exact: `{"challengeData":{"door":{"for":1,"user":"` + id + `"}}}`},
		{Name: "a session is no proof", Method: "POST", Path: "/challenge", Body: `{"challengeData":{"door":1}}`, Headers: as(token), Status: 200, Exact: `{"challengeData":{"door":{"for":1,"user":""}}}`},
		{Name: "a session that is none", Method: "POST", Path: "/challenge", Body: `{"challengeData":{"door":1}}`, Headers: as("r:nope"), Status: 400, Exact: `{"code":209,"error":"Invalid session token"}`},
		{Name: "not a POST", Method: "GET", Path: "/challenge", Headers: app(), Status: 404},
	})
}
