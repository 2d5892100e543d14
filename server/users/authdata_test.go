package users_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parsescale/parsescale/server/identity"
	"github.com/parsescale/parsescale/server/identity/builtin"
	"github.com/parsescale/parsescale/server/identity/mfa"
	"github.com/parsescale/parsescale/server/users/apptest"
)

// providers are auth providers by name, with the built-in ones' rules for those that aren't there.
func providers(t testing.TB, adapters map[string]identity.Adapter) *identity.Providers {
	t.Helper()
	p, err := identity.New(identity.Options{Adapters: adapters, Reserved: builtin.Reserved()})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

const secret = "JBSWY3DPEHPK3PXPJBSWY3DP"

// tokenOK accepts {"token":"ok"}.
func tokenOK(_ context.Context, r *identity.Request) (identity.Outcome, error) {
	if r.AuthData["token"] != "ok" {
		return identity.Outcome{}, identity.Refuse("bad token")
	}
	return identity.Outcome{Response: map[string]any{"hello": r.AuthData["id"]}, Save: map[string]any{"id": r.AuthData["id"], "kept": true}}, nil
}

// own are providers such as a site writes itself: mine and other verify a token; code finds the id out by a code that is
// good once; pin is one more step of a log-in, solo makes that unnecessary. mfa is the built-in one.
func own(t testing.TB, now func() time.Time) (map[string]identity.Adapter, *mfa.Adapter) {
	t.Helper()
	second, err := mfa.New(mfa.Options{Options: []string{"TOTP"}, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	var used sync.Map
	additional := func(*identity.Request) identity.Policy { return identity.Additional }
	return map[string]identity.Adapter{
		"anonymous": identity.Anonymous(),
		"mfa":       second,
		"mine":      identity.Functions{ValidateAuthData: tokenOK},
		"other":     identity.Functions{ValidateAuthData: tokenOK},
		"code": identity.Functions{
			BeforeFind: func(_ context.Context, data map[string]any) (map[string]any, error) {
				code, _ := data["code"].(string)
				id, ok := strings.CutPrefix(code, "code-of-")
				if _, again := used.LoadOrStore(code, true); again || !ok {
					return nil, identity.Refuse("bad code")
				}
				id, _, _ = strings.Cut(id, "#")
				return map[string]any{"id": id, "access_token": "t"}, nil
			},
			ValidateAuthData: func(context.Context, *identity.Request) (identity.Outcome, error) { return identity.Outcome{}, nil },
			Shown: func(stored map[string]any, _ identity.Viewer) map[string]any {
				return map[string]any{"id": stored["id"]}
			},
		},
		"pin": identity.Functions{
			PolicyOf: additional,
			ValidateSetUp: func(_ context.Context, r *identity.Request) (identity.Outcome, error) {
				return identity.Outcome{Save: map[string]any{"pin": r.AuthData["pin"]}}, nil
			},
			ValidateLogin: func(_ context.Context, r *identity.Request) (identity.Outcome, error) {
				if r.AuthData["pin"] != r.Stored["pin"] {
					return identity.Outcome{}, identity.Refuse("bad pin")
				}
				return identity.Outcome{DoNotSave: true}, nil
			},
			ValidateUpdate: func(_ context.Context, r *identity.Request) (identity.Outcome, error) {
				if r.AuthData["old"] != r.Stored["pin"] {
					return identity.Outcome{}, identity.Refuse("bad old pin")
				}
				return identity.Outcome{Save: map[string]any{"pin": r.AuthData["pin"]}}, nil
			},
			Challenged: func(_ context.Context, data any, r *identity.Request) (any, error) {
				if data == "refuse" {
					return nil, identity.Refuse("no challenge")
				}
				return map[string]any{"got": data, "user": r.UserID != "", "has": r.Stored != nil}, nil
			},
		},
		"solo": identity.Functions{
			PolicyOf: func(*identity.Request) identity.Policy { return identity.Solo }, ValidateAuthData: tokenOK,
		},
	}, second
}

func withOwn(t testing.TB, now func() time.Time) (*apptest.App, *mfa.Adapter) {
	t.Helper()
	adapters, second := own(t, now)
	p := providers(t, adapters)
	return apptest.New(t, func(o *apptest.Options) { o.Write.Providers = p }), second
}

const (
	badToken    = `{"code":141,"error":"bad token"}`
	used        = `{"code":208,"error":"this auth is already used"}`
	unsupported = `{"code":252,"error":"This authentication method is unsupported."}`
)

func me(id, authData string) string {
	return `{"objectId":"<` + id + `>",<any>,"authData":` + authData + `,<any>}`
}

func TestAuthProviders(t *testing.T) {
	a, _ := withOwn(t, nil)
	a.Play(t, []apptest.Step{
		{Do: "POST /users", Body: `{"authData":{"mine":{"id":"m1","token":"no"}}}`, Status: 400, Want: badToken},
		{Do: "POST /users", Body: `{"authData":{"mine":{"id":"m1","token":"ok","extra":1}}}`, Want: `{"objectId":"<u>","createdAt":"<ts>","username":"<name25>","sessionToken":"<tok1>","authDataResponse":{"mine":{"hello":"m1"}}}`},
		{Who: "<tok1>", Do: "GET /users/me", Want: me("u", `{"mine":{"id":"m1","kept":true}}`)},
		{Who: "<tok1>", Do: "GET /sessions/me", Want: `<any>"createdWith":{"action":"login","authProvider":"mine"}}`},
		// GHSA-pfj7-wv7c-22pr: to know the id is not enough.
		{Do: "POST /users", Body: `{"authData":{"mine":{"id":"m1"}}}`, Status: 400, Want: badToken},
		{Do: "POST /users", Body: `{"authData":{"mine":{"id":"m1","token":"ok"}}}`, Status: 200, Want: `{"objectId":"<u>",<any>"authData":{"mine":{"id":"m1","kept":true}},<any>"sessionToken":"<tok2>","authDataResponse":{"mine":{"hello":"m1"}}}`},
		{Do: "GET /users/<u>", Status: 404, Want: `{"code":101,"error":"Object not found."}`},
		// What is stored already isn't verified again, and stays.
		{Who: "<tok1>", Do: "PUT /users/<u>", Body: `{"authData":{"mine":{"id":"m1"}}}`, Want: `{"updatedAt":"<ts>"}`},
		{Who: "<tok1>", Do: "GET /users/me", Want: me("u", `{"mine":{"id":"m1","kept":true}}`)},
		{Who: "<tok1>", Do: "PUT /users/<u>", Body: `{"authData":{"mine":{"id":"m1","token":"bad"}}}`, Status: 400, Want: badToken},
		{Who: "<tok1>", Do: "PUT /users/<u>", Body: `{"authData":{"mine":{"id":"m9","token":"ok"}}}`, Want: `{"updatedAt":"<ts>","authDataResponse":{"mine":{"hello":"m9"}}}`},
		{Who: "<tok1>", Do: "PUT /users/<u>", Body: `{"authData":{"anonymous":{"id":"x1"},"other":{"id":"o1","token":"ok"}}}`, Want: `{"updatedAt":"<ts>","authDataResponse":{"other":{"hello":"o1"}}}`},
		{Who: "<tok1>", Do: "PUT /users/<u>", Body: `{"authData":{"anonymous":null,"mine":{"id":"m9"}}}`, Want: `{"updatedAt":"<ts>"}`},
		{Who: "<tok1>", Do: "GET /users/me", Want: me("u", `{"mine":{"id":"m9","kept":true},"other":{"id":"o1","kept":true}}`)},
		// One bad provider spoils all.
		{Who: "<tok1>", Do: "PUT /users/<u>", Body: `{"phone":"1","authData":{"anonymous":{"id":"x2"},"other":{"id":"o2","token":"bad"}}}`, Status: 400, Want: badToken},
		{Who: "<tok1>", Do: "GET /users/me", Want: me("u", `{"mine":{"id":"m9","kept":true},"other":{"id":"o1","kept":true}}`)},

		// Another user. GHSA-8w3j-g983-8jh5: providers are asked first.
		signUp("bob"),
		{Who: "<tokbob>", Do: "PUT /users/<bob>", Body: `{"authData":{"mine":{"id":"m9","token":"bad"}}}`, Status: 400, Want: badToken},
		{Who: "<tokbob>", Do: "PUT /users/<bob>", Body: `{"authData":{"mine":{"id":"m9","token":"ok"}}}`, Status: 400, Want: used},
		{Who: "<tokbob>", Do: "POST /users", Body: `{"authData":{"mine":{"id":"m9","token":"ok"}}}`, Status: 400, Want: used},
		{Who: "<tokbob>", Do: "PUT /users/<u>", Body: `{"authData":{"mine":{"id":"m9","token":"ok"}}}`, Status: 400, Want: `{"code":206,"error":"Permission denied"}`},
		{Do: "PUT /users/<u>", Body: `{"authData":{"mine":{"id":"m9","token":"ok"}}}`, Status: 400, Want: `{"code":206,"error":"Permission denied"}`},
		{Who: "master", Do: "PUT /users/<bob>", Body: `{"authData":{"mine":{"id":"m9","token":"ok"}}}`, Status: 400, Want: used},
		{Who: "master", Do: "PUT /users/<bob>", Body: `{"authData":{"mine":{"id":"m10","token":"bad"}}}`, Status: 400, Want: badToken},
		{Who: "master", Do: "PUT /users/<bob>", Body: `{"authData":{"mine":{"id":"m10","token":"ok"}}}`, Want: `{"updatedAt":"<ts>","authDataResponse":{"mine":{"hello":"m10"}}}`},
		{Who: "master installation=i9", Do: "PUT /users/<bob>", Body: `{"authData":{"mine":{"id":"m11","token":"ok"}}}`, Want: `{"updatedAt":"<ts>","sessionToken":"<tok3>","authDataResponse":{"mine":{"hello":"m11"}}}`},
		{Who: "master", Do: "POST /users", Body: `{"authData":{"mine":{"id":"m11","token":"ok"}}}`, Status: 200, Want: `{"objectId":"<bob>",<any>"authData":{"mine":{"id":"m11","kept":true}},<any>"authDataResponse":{"mine":{"hello":"m11"}}}`},
		{Who: "readonly", Do: "PUT /users/<bob>", Body: `{"authData":{"mine":null}}`, Status: 400, Want: `{"code":119,"error":"Permission denied"}`},
		// A sign-up that turns out to be a log-in.
		{Do: "POST /users", Body: `{"username":"bobnew","password":"p","email":"q@x.y","authData":{"mine":{"id":"m11","token":"ok"}}}`, Status: 200, Want: `{"objectId":"<bob>",<any>"username":"bob",<any>"sessionToken":"<tok4>","authDataResponse":{"mine":{"hello":"m11"}}}`},
		// Two ids of two users, and one more of one of them.
		{Do: "POST /users", Body: `{"authData":{"mine":{"id":"m11","token":"ok"},"other":{"id":"o1","token":"ok"}}}`, Status: 400, Want: used},
		{Do: "POST /users", Body: `{"authData":{"mine":{"id":"two","token":"ok"},"other":{"id":"o1","token":"ok"}}}`, Status: 200, Want: `{"objectId":"<u>",<any>"authData":{"mine":{"id":"two","kept":true},"other":{"id":"o1","kept":true}},<any>"sessionToken":"<tok5>",<any>`},
		{Who: "<tok5>", Do: "GET /sessions/me", Want: `<any>"createdWith":{"action":"login","authProvider":"mine,other"}}`},
		{Who: "<tok1>", Do: "POST /users", Body: `{"authData":{"mine":{"id":"two"}}}`, Status: 200, Want: `{"objectId":"<u>",<any>"ACL":{"<u>":{"read":true,"write":true}}}`},
		{Who: "<tok1>", Do: "POST /users", Body: `{"authData":{"mine":{"id":"new","token":"ok"}}}`, Want: `{"objectId":"<third>","createdAt":"<ts>","username":"<name25>","authDataResponse":{"mine":{"hello":"new"}}}`},
	})
}

func TestAuthDataThatIsNone(t *testing.T) {
	a, _ := withOwn(t, nil)
	a.Play(t, []apptest.Step{signUp("ann")})
	for i, name := range []string{"nosuch", "toString", "hasOwnProperty", "a-b", "a b", "", "x'y", `x\"y`, "_x", "1x", "github", "keycloak", "oauth2"} {
		body := `{"authData":{"` + name + `":{"id":"1"}}}`
		a.Play(t, []apptest.Step{
			{Do: "POST /users", Body: body, Status: 400, Want: unsupported},
			{Who: "<tokann>", Do: "PUT /users/<ann>", Body: body, Status: 400, Want: unsupported},
		})
		if i%5 > 0 {
			continue // each log-in costs a comparison of hashes
		}
		a.Play(t, []apptest.Step{
			{Do: "POST /login", Body: `{"username":"ann","password":"pw","authData":{"` + name + `":{"id":"1"}}}`, Status: 400, Want: unsupported},
		})
	}
	badID := `{"code":162,"error":"Invalid authData id for provider 'mine'."}`
	for _, data := range []string{`{"id":5,"token":"ok"}`, `{"id":{"$ne":null},"token":"ok"}`, `{"id":["x"],"token":"ok"}`, `{"id":true,"token":"ok"}`, `{"id":"a\u0000b","token":"ok"}`, `{"id":"` + strings.Repeat("x", 3000) + `","token":"ok"}`, `"x"`, `[1]`, `5`, `true`} {
		for _, do := range []string{"POST /users", "POST /login", "PUT /users/<ann>"} {
			a.Play(t, []apptest.Step{{Who: map[bool]string{true: "<tokann>"}[do == "PUT /users/<ann>"], Do: do, Body: `{"username":"ann","password":"pw","authData":{"mine":` + data + `}}`, Status: 400, Want: badID}})
		}
	}
	a.Play(t, []apptest.Step{
		{Who: "<tokann>", Do: "PUT /users/<ann>", Body: `{"authData":null}`, Status: 400, Want: unsupported},
		{Who: "<tokann>", Do: "PUT /users/<ann>", Body: `{"authData":{"__op":"Delete"}}`, Status: 400, Want: unsupported},
		{Who: "<tokann>", Do: "PUT /users/<ann>", Body: `{"authData":{}}`, Want: `{"updatedAt":"<ts>"}`},
		{Who: "<tokann>", Do: "PUT /users/<ann>", Body: `{"authData":{"nosuch":null}}`, Want: `{"updatedAt":"<ts>","authDataResponse":{}}`},
		// GHSA-wjqw-r9x4-j59v: nothing identifies nobody.
		{Do: "POST /users", Body: `{"authData":{"mine":{}}}`, Status: 400, Want: `{"code":200,"error":"bad or missing username"}`},
		{Do: "POST /users", Body: `{"authData":{"mine":"x"}}`, Status: 400, Want: `{"code":200,"error":"bad or missing username"}`},
		{Do: "POST /users", Body: `{"username":"x","authData":{"mine":null}}`, Status: 400, Want: `{"code":201,"error":"password is required"}`},
		{Do: "POST /login", Body: `{"username":"ann","password":"pw","authData":"x"}`, Status: 400, Want: unsupported},
		{Do: "POST /login", Body: `{"username":"ann","password":"pw","authData":["x"]}`, Status: 400, Want: unsupported},
		{Do: "POST /login", Body: `{"username":"ann","password":"pw","authData":[]}`, Want: `<any>"sessionToken":"<tok2>","authDataResponse":{}}`},
		{Do: "POST /login", Body: `{"username":"ann","password":"pw","authData":5}`, Want: `<any>"sessionToken":"<tok3>","authDataResponse":{}}`},
		{Do: "POST /login", Body: `{"username":"ann","password":"pw","authData":null}`, Want: `<any>"sessionToken":"<tok4>"}`},
		{Do: "POST /users", Body: `{"username":"nul","password":"pw","authData":{"anonymous":null}}`, Want: `{"objectId":"<nul>","createdAt":"<ts>","sessionToken":"<tok5>","authDataResponse":{}}`},
		{Do: "POST /users", Body: `{"authData":{"anonymous":{"foo":"bar"}}}`, Want: `{"objectId":"<nameless>",<any>}`},
	})
}

// TestLogInWithProviders logs in by password and says something at providers as well.
func TestLogInWithProviders(t *testing.T) {
	a, _ := withOwn(t, nil)
	a.Play(t, []apptest.Step{
		signUp("ann"), signUp("bob"),
		{Who: "<tokann>", Do: "PUT /users/<ann>", Body: `{"authData":{"mine":{"id":"m1","token":"ok"},"code":{"code":"code-of-ann"}}}`, Want: `{"updatedAt":"<ts>","authDataResponse":{"mine":{"hello":"m1"}}}`},
		{Who: "<tokann>", Do: "GET /users/me", Want: `<any>"authData":{"code":{"id":"ann"},"mine":{"id":"m1","kept":true}}<any>`},
		{Who: "master", Do: "GET /users/<ann>", Want: `<any>"authData":{"code":{"id":"ann"},"mine":{"id":"m1","kept":true}}<any>`},
		// A part of what is stored takes nothing away, and what isn't stored takes a code.
		{Who: "<tokann>", Do: "PUT /users/<ann>", Body: `{"authData":{"code":{"access_token":"t"}}}`, Want: `{"updatedAt":"<ts>","authDataResponse":{}}`},
		{Who: "<tokann>", Do: "PUT /users/<ann>", Body: `{"authData":{"code":{"id":"ann"}}}`, Want: `{"updatedAt":"<ts>"}`},
		{Who: "<tokann>", Do: "GET /users/me", Want: `<any>"authData":{"code":{"id":"ann"},"mine":{"id":"m1","kept":true}}<any>`},
		{Who: "<tokann>", Do: "PUT /users/<ann>", Body: `{"authData":{"code":{"id":"bob"}}}`, Status: 400, Want: `{"code":141,"error":"bad code"}`},
		{Who: "<tokann>", Do: "PUT /users/<ann>", Body: `{"authData":{"code":{"id":"ann","access_token":"x"}}}`, Status: 400, Want: `{"code":141,"error":"bad code"}`},
		{Who: "readonly", Do: "POST /login", Body: `{"username":"ann","password":"pw"}`, Status: 400, Want: `{"code":119,"error":"Permission denied"}`},
		// GHSA-mr43-w6c2-mvjq: somebody else's identity can't be had by a log-in either, sent as an id or as a code.
		{Do: "POST /login", Body: `{"username":"bob","password":"pw","authData":{"mine":{"id":"m1","token":"ok"}}}`, Status: 400, Want: used},
		{Do: "POST /login", Body: `{"username":"bob","password":"pw","authData":{"mine":{"id":"m1","token":"bad"}}}`, Status: 400, Want: badToken},
		{Do: "POST /login", Body: `{"username":"bob","password":"pw","authData":{"code":{"code":"code-of-ann#2"}}}`, Status: 400, Want: used},
		{Do: "POST /login", Body: `{"username":"bob","password":"pw","authData":{"code":{"id":"ann"}}}`, Status: 400, Want: `{"code":141,"error":"bad code"}`},
		{Do: "POST /users", Body: `{"authData":{"code":{"id":"ann"}}}`, Status: 400, Want: `{"code":141,"error":"bad code"}`},
		{Who: "<tokbob>", Do: "PUT /users/<bob>", Body: `{"authData":{"code":{"code":"code-of-ann#3"}}}`, Status: 400, Want: used},
		{Do: "POST /users", Body: `{"authData":{"code":{"code":"code-of-ann#4"}}}`, Status: 200, Want: `{"objectId":"<ann>",<any>"authData":{"code":{"id":"ann"}<any>"sessionToken":"<tok9>","authDataResponse":{}}`},
		// A log-in links and unlinks.
		{Do: "POST /login", Body: `{"username":"bob","password":"bad","authData":{"mine":{"id":"m2","token":"ok"}}}`, Status: 404, Want: `{"code":101,"error":"Invalid username/password."}`},
		{Do: "POST /login", Body: `{"username":"bob","password":"pw","authData":{"mine":{"id":"m2","token":"ok"}}}`, Want: `{"objectId":"<bob>",<any>"authData":{"mine":{"id":"m2","kept":true}},<any>"sessionToken":"<tok1>","authDataResponse":{"mine":{"hello":"m2"}}}`},
		{Who: "<tok1>", Do: "GET /sessions/me", Want: `<any>"createdWith":{"action":"login","authProvider":"password"}}`},
		{Do: "POST /login", Body: `{"username":"bob","password":"pw","authData":{"mine":null}}`, Want: `{"objectId":"<bob>","createdAt":"<ts>","updatedAt":"<ts>","username":"bob","ACL":{"<bob>":{"read":true,"write":true}},"sessionToken":"<tok2>","authDataResponse":{}}`},
		// Users who are locked out.
		{Who: "master", Do: "PUT /users/<ann>", Body: `{"ACL":{}}`, Want: `{"updatedAt":"<ts>"}`},
		{Do: "POST /users", Body: `{"authData":{"mine":{"id":"m1","token":"bad"}}}`, Status: 400, Want: badToken},
		{Do: "POST /users", Body: `{"authData":{"mine":{"id":"m1","token":"ok"}}}`, Status: 400, Want: used},
		{Who: "<tokbob>", Do: "PUT /users/<bob>", Body: `{"authData":{"mine":{"id":"m1","token":"ok"}}}`, Status: 400, Want: used},
		{Do: "POST /login", Body: `{"username":"bob","password":"pw","authData":{"mine":{"id":"m1","token":"ok"}}}`, Status: 400, Want: used},
	})
}

func TestPolicies(t *testing.T) {
	a, _ := withOwn(t, nil)
	const missing = `{"code":-1,"error":"Missing additional authData pin"}`
	a.Play(t, []apptest.Step{
		signUp("cat"),
		{Who: "<tokcat>", Do: "PUT /users/<cat>", Body: `{"authData":{"pin":{"pin":"1"},"mine":{"id":"c","token":"ok"}}}`, Want: `{"updatedAt":"<ts>","authDataResponse":{"mine":{"hello":"c"}}}`},
		{Do: "POST /login", Body: `{"username":"cat","password":"pw"}`, Status: 400, Want: missing},
		{Who: "master", Do: "POST /login", Body: `{"username":"cat","password":"pw"}`, Status: 400, Want: missing},
		{Do: "POST /login", Body: `{"username":"cat","password":"pw","authData":{"pin":null}}`, Status: 400, Want: missing},
		{Do: "POST /login", Body: `{"username":"cat","password":"pw","authData":{"mine":{"id":"c","token":"ok"}}}`, Status: 400, Want: missing},
		{Do: "POST /login", Body: `{"username":"cat","password":"bad","authData":{"pin":{"pin":"1"}}}`, Status: 404, Want: `{"code":101,"error":"Invalid username/password."}`},
		{Do: "POST /login", Body: `{"username":"cat","password":"pw","authData":{"pin":{"pin":"2"}}}`, Status: 400, Want: `{"code":141,"error":"bad pin"}`},
		{Do: "POST /login", Body: `{"username":"cat","password":"pw","authData":{"pin":{"pin":"1"}}}`, Want: `<any>"sessionToken":"<tok1>","authDataResponse":{}}`},
		{Do: "POST /users", Body: `{"authData":{"mine":{"id":"c","token":"ok"}}}`, Status: 400, Want: missing},
		{Do: "POST /users", Body: `{"authData":{"mine":{"id":"c","token":"ok"},"pin":{"pin":"2"}}}`, Status: 400, Want: `{"code":141,"error":"bad pin"}`},
		{Do: "POST /users", Body: `{"authData":{"mine":{"id":"c","token":"ok"},"pin":{"pin":"1"}}}`, Status: 200, Want: `<any>"sessionToken":"<tok2>","authDataResponse":{"mine":{"hello":"c"}}}`},
		{Do: "POST /users", Body: `{"authData":{"pin":{"pin":"1"}}}`, Want: `{"objectId":"<pinned>",<any>}`},
		{Do: "POST /verifyPassword", Body: `{"username":"cat","password":"pw"}`, Want: `{"objectId":"<cat>",<any>}`},
		{Who: "<tokcat>", Do: "PUT /users/<cat>", Body: `{"authData":{"pin":{"pin":"3"}}}`, Status: 400, Want: `{"code":141,"error":"bad old pin"}`},
		{Who: "<tokcat>", Do: "PUT /users/<cat>", Body: `{"authData":{"pin":{"pin":"3","old":"1"}}}`, Want: `{"updatedAt":"<ts>","authDataResponse":{}}`},
		{Who: "<tokcat>", Do: "PUT /users/<cat>", Body: `{"authData":{"solo":{"id":"s","token":"ok"}}}`, Want: `{"updatedAt":"<ts>","authDataResponse":{"solo":{"hello":"s"}}}`},
		{Do: "POST /login", Body: `{"username":"cat","password":"pw"}`, Status: 400, Want: missing},
		{Do: "POST /login", Body: `{"username":"cat","password":"pw","authData":{"solo":{"id":"s","token":"bad"}}}`, Status: 400, Want: badToken},
		{Do: "POST /login", Body: `{"username":"cat","password":"pw","authData":{"solo":{"id":"s","token":"ok"}}}`, Want: `<any>"sessionToken":"<tok3>",<any>`},
		{Do: "POST /users", Body: `{"authData":{"solo":{"id":"s","token":"bad"}}}`, Status: 400, Want: badToken},
		{Do: "POST /users", Body: `{"authData":{"solo":{"id":"s","token":"ok"}}}`, Status: 200, Want: `<any>"sessionToken":"<tok4>",<any>`},
	})
	// Somebody with the right to write another user changes that one's second step no more easily than the user does.
	a.Play(t, []apptest.Step{
		signUp("eve"),
		{Who: "<tokcat>", Do: "PUT /users/<cat>", Body: `{"ACL":{"<eve>":{"read":true,"write":true}}}`, Want: `{"updatedAt":"<ts>"}`},
		{Who: "<tokeve>", Do: "PUT /users/<cat>", Body: `{"authData":{"pin":{"pin":"x"}}}`, Status: 400, Want: `{"code":141,"error":"bad old pin"}`},
		{Who: "<tokeve>", Do: "PUT /users/<cat>", Body: `{"authData":{"mine":{"id":"c"},"other":{"id":"stolen"}}}`, Status: 400, Want: badToken},
	})
}

func TestMFA(t *testing.T) {
	clock := apptest.NewClock()
	a, second := withOwn(t, clock.Now)
	token := func() string {
		tok, err := second.Token(secret, clock.Now())
		if err != nil {
			t.Fatal(err)
		}
		return tok
	}
	recovery := func(who, do, body string) []string {
		t.Helper()
		got := a.Do(a.Fill(who), a.Fill(do), strings.NewReplacer("SECRET", secret, "TOTP", token()).Replace(body))
		_, codes, ok := strings.Cut(got.Body, `"recovery":"`)
		codes, _, _ = strings.Cut(codes, `"`)
		list := strings.Split(codes, ", ")
		if !ok || got.Status > 201 || len(list) != 2 {
			t.Fatalf("%d %s", got.Status, got.Body)
		}
		return list
	}
	const (
		setUp   = `{"authData":{"mfa":{"secret":"SECRET","token":"TOTP"}}}`
		missing = `{"code":-1,"error":"Missing additional authData mfa"}`
		wrong   = `{"code":141,"error":"Invalid MFA token"}`
		noData  = `{"code":141,"error":"Invalid MFA data"}`
		enabled = `"authData":{"mfa":{"status":"enabled"}}`
	)
	with := func(mfa string) string { return `{"username":"mia","password":"pw","authData":{"mfa":` + mfa + `}}` }
	a.Play(t, []apptest.Step{
		signUp("mia"),
		{Who: "<tokmia>", Do: "PUT /users/<mia>", Body: `{"authData":{"mfa":{"secret":"short","token":"1"}}}`, Status: 400, Want: noData},
		{Who: "<tokmia>", Do: "PUT /users/<mia>", Body: `{"authData":{"mfa":{"secret":"` + secret + `","token":"00000"}}}`, Status: 400, Want: wrong},
	})
	codes := recovery("<tokmia>", "PUT /users/<mia>", setUp)
	a.Play(t, []apptest.Step{
		// wp76, 37mj: nobody but the master key sees the secret or the codes.
		{Who: "<tokmia>", Do: "GET /users/me", Want: `{"objectId":"<mia>",<any>` + enabled + `,"sessionToken":"<tokmia>"}`},
		{Who: "<tokmia>", Do: "GET /users/<mia>", Want: `{"objectId":"<mia>",<any>` + enabled + `,"sessionToken":"<tokmia>"}`},
		{Who: "<tokmia>", Do: "GET /users", Want: `{"results":[{"objectId":"<mia>",<any>` + enabled + `}]}`},
		{Who: "<tokmia>", Do: "GET /users?include=x&keys=authData", Want: `{"results":[{"objectId":"<mia>",<any>"authData":{"mfa":{"status":"enabled"}}<any>}]}`},
		{Who: "maintenance", Do: "GET /users/<mia>", Want: `<any>"authData":{"mfa":{"status":"enabled"}}<any>`},
		{Who: "master", Do: "GET /users/<mia>", Want: `<any>"authData":{"mfa":{"secret":"` + secret + `","recovery":["` + codes[0] + `","` + codes[1] + `"]}}<any>`},
		{Do: "POST /verifyPassword", Body: `{"username":"mia","password":"pw"}`, Want: `{"objectId":"<mia>",<any>` + enabled + `}`},
		{Do: "POST /login", Body: `{"username":"mia","password":"pw"}`, Status: 400, Want: missing},
		{Who: "master", Do: "POST /login", Body: `{"username":"mia","password":"pw"}`, Status: 400, Want: missing},
		{Do: "POST /login", Body: with("null"), Status: 400, Want: missing},
		{Do: "POST /login", Body: with("{}"), Status: 400, Want: wrong},
		{Do: "POST /login", Body: with(`{"token":5}`), Status: 400, Want: wrong},
		{Do: "POST /login", Body: with(`{"token":"123"}`), Status: 400, Want: wrong},
		{Do: "POST /login", Body: strings.Replace(with(`{"token":"`+token()+`"}`), "pw", "bad", 1), Status: 404, Want: `{"code":101,"error":"Invalid username/password."}`},
		{Do: "POST /login", Body: with(`{"token":"` + token() + `"}`), Want: `{"objectId":"<mia>",<any>` + enabled + `,"sessionToken":"<tok1>","authDataResponse":{}}`},
		// GHSA-4hf6-3x24-c9m8: a recovery code is good once.
		{Do: "POST /login", Body: with(`{"token":"` + codes[0] + `"}`), Want: `<any>"sessionToken":"<tok2>","authDataResponse":{}}`},
		{Do: "POST /login", Body: with(`{"token":"` + codes[0] + `"}`), Status: 400, Want: wrong},
		{Who: "master", Do: "GET /users/<mia>", Want: `<any>"authData":{"mfa":{"secret":"` + secret + `","recovery":["` + codes[1] + `"]}}<any>`},
		// To change it takes the old one.
		{Who: "<tokmia>", Do: "PUT /users/<mia>", Body: `{"authData":{"mfa":{"secret":"` + secret + `","token":"` + token() + `"}}}`, Status: 400, Want: wrong},
		{Who: "<tokmia>", Do: "PUT /users/<mia>", Body: `{"authData":{"mfa":{"status":"enabled"}}}`, Status: 400, Want: wrong},
		{Who: "<tokmia>", Do: "PUT /users/<mia>", Body: `{"authData":{"mfa":{"old":"bad","secret":"` + secret + `","token":"` + token() + `"}}}`, Status: 400, Want: wrong},
		// The master key needs no token, but a log-in with it does, and changes nothing.
		{Who: "master", Do: "POST /login", Body: with(`{"token":"zzz"}`), Status: 400, Want: wrong},
		{Who: "master", Do: "POST /login", Body: with(`{"token":"` + token() + `"}`), Want: `{"objectId":"<mia>",<any>"authDataResponse":{}}`},
		{Who: "master", Do: "GET /users/<mia>", Want: `<any>"authData":{"mfa":{"secret":"` + secret + `","recovery":["` + codes[1] + `"]}}<any>`},
	})
	codes = recovery("<tokmia>", "PUT /users/<mia>", `{"authData":{"mfa":{"old":"`+codes[1]+`","secret":"SECRET","token":"TOTP"}}}`)
	a.Play(t, []apptest.Step{
		{Who: "<tokmia>", Do: "PUT /users/<mia>", Body: `{"authData":{"mfa":null}}`, Want: `{"updatedAt":"<ts>","authDataResponse":{}}`},
		{Do: "POST /login", Body: `{"username":"mia","password":"pw"}`, Want: `<any>"sessionToken":"<tok3>"}`},
		{Do: "POST /login", Body: with(`{"token":"` + codes[0] + `"}`), Status: 400, Want: noData},
		{Who: "master", Do: "PUT /users/<mia>", Body: `{"authData":{"mfa":{"anything":1}}}`, Status: 400, Want: noData},
	})
	// It can be set up by a log-in, by a sign-up, and for an anonymous user.
	recovery("", "POST /login", strings.Replace(setUp, "{", `{"username":"mia","password":"pw",`, 1))
	recovery("", "POST /users", strings.Replace(setUp, "{", `{"username":"ned","password":"pw",`, 1))
	a.Play(t, []apptest.Step{{Do: "POST /users", Body: `{"authData":{"anonymous":{"id":"a"}}}`, Want: `{"objectId":"<ano>",<any>"sessionToken":"<tokano>",<any>`}})
	codes = recovery("<tokano>", "PUT /users/<ano>", setUp)
	a.Play(t, []apptest.Step{
		{Do: "POST /login", Body: `{"username":"mia","password":"pw"}`, Status: 400, Want: missing},
		{Do: "POST /login", Body: `{"username":"ned","password":"pw"}`, Status: 400, Want: missing},
		{Do: "POST /users", Body: `{"authData":{"anonymous":{"id":"a"}}}`, Status: 400, Want: missing},
		{Do: "POST /users", Body: `{"authData":{"anonymous":{"id":"a"},"mfa":{"token":"bad"}}}`, Status: 400, Want: wrong},
		{Do: "POST /users", Body: `{"authData":{"anonymous":{"id":"a"},"mfa":{"token":"` + codes[0] + `"}}}`, Status: 200, Want: `<any>"authData":{"mfa":{"status":"enabled"},"anonymous":{"id":"a"}},"sessionToken":"<tok4>","authDataResponse":{}}`},
		{Do: "POST /users", Body: `{"authData":{"anonymous":{"id":"a"},"mfa":{"token":"` + codes[0] + `"}}}`, Status: 400, Want: wrong},
		{Who: "<tokano>", Do: "PUT /users/<ano>", Body: `{"authData":{"anonymous":{"id":"a"}}}`, Want: `{"updatedAt":"<ts>"}`},
	})
	clock.Advance(5 * time.Minute)
	a.Play(t, []apptest.Step{{Do: "POST /login", Body: with(`{"token":"` + token() + `"}`), Want: `<any>"sessionToken":"<tok9>",<any>`}})
}

// TestProviderIsGone: a user with a second factor doesn't get in without it because somebody forgot to configure it.
func TestProviderIsGone(t *testing.T) {
	a, second := withOwn(t, nil)
	tok, err := second.Token(secret, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	a.Play(t, []apptest.Step{
		signUp("mia"),
		{Who: "<tokmia>", Do: "PUT /users/<mia>", Body: `{"authData":{"mfa":{"secret":"` + secret + `","token":"` + tok + `"},"mine":{"id":"m","token":"ok"}}}`, Want: `<any>`},
	})
	o := *a // the same store, with fewer providers
	o.Users = a.With(providers(t, map[string]identity.Adapter{"mine": identity.Functions{ValidateAuthData: tokenOK}}))
	const missing = `{"code":-1,"error":"Missing additional authData mfa"}`
	o.Play(t, []apptest.Step{
		{Do: "POST /login", Body: `{"username":"mia","password":"pw"}`, Status: 400, Want: missing},
		{Do: "POST /login", Body: `{"username":"mia","password":"pw","authData":{"mfa":{"token":"` + tok + `"}}}`, Status: 400, Want: unsupported},
		{Do: "POST /verifyPassword", Body: `{"username":"mia","password":"pw"}`, Want: `<any>"authData":{"mfa":{"status":"enabled"},"mine":{"id":"m","kept":true}}<any>`},
	})
}

// TestOneTimeCodesAtOnce is GHSA-2299-ghjr-6vjp: of many log-ins with one recovery code at the same time one succeeds.
func TestOneTimeCodesAtOnce(t *testing.T) {
	a, second := withOwn(t, nil)
	tok, err := second.Token(secret, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	a.Play(t, []apptest.Step{
		signUp("mia"),
		{Who: "<tokmia>", Do: "PUT /users/<mia>", Body: `{"authData":{"mine":{"id":"m","token":"ok"}}}`, Want: `<any>`},
	})
	got := a.Do(a.Fill("<tokmia>"), a.Fill("PUT /users/<mia>"), `{"authData":{"mfa":{"secret":"`+secret+`","token":"`+tok+`"}}}`)
	_, codes, _ := strings.Cut(got.Body, `"recovery":"`)
	first, rest, _ := strings.Cut(codes, ", ")
	last, _, _ := strings.Cut(rest, `"`)
	for code, request := range map[string]func(code string) (string, string){
		first: func(code string) (string, string) {
			return "POST /login", `{"username":"mia","password":"pw","authData":{"mfa":{"token":"` + code + `"}}}`
		},
		last: func(code string) (string, string) {
			return "POST /users", `{"authData":{"mine":{"id":"m","token":"ok"},"mfa":{"token":"` + code + `"}}}`
		},
	} {
		var in atomic.Int64
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				do, body := request(code)
				switch got := a.Do("", do, body); {
				case got.Status == 200:
					in.Add(1)
				case got.Status != 400 || !strings.Contains(got.Body, `"code":141`):
					t.Errorf("%d %s", got.Status, got.Body)
				}
			})
		}
		wg.Wait()
		if in.Load() != 1 {
			t.Errorf("%d log-ins succeeded with one code", in.Load())
		}
	}
}

// TestSignUpsAtOnce: two sign-ups with one id at the same time give one user, whose other one is a log-in; two links of
// one id give one link.
func TestSignUpsAtOnce(t *testing.T) {
	a, _ := withOwn(t, nil)
	var wg sync.WaitGroup
	var made, in atomic.Int64
	for range 20 {
		wg.Go(func() {
			switch got := a.Do("", "POST /users", `{"authData":{"mine":{"id":"one","token":"ok"}}}`); got.Status {
			case 201:
				made.Add(1)
			case 200:
				in.Add(1)
			default:
				t.Errorf("%d %s", got.Status, got.Body)
			}
		})
	}
	wg.Wait()
	if made.Load() != 1 || in.Load() != 19 {
		t.Errorf("%d users were made, %d log-ins", made.Load(), in.Load())
	}
	var steps []apptest.Step
	for i := range 10 {
		steps = append(steps, signUp(fmt.Sprint("user", i)))
	}
	a.Play(t, steps)
	var linked atomic.Int64
	for i := range 10 {
		who, do := a.Fill(fmt.Sprintf("<tokuser%d>", i)), a.Fill(fmt.Sprintf("PUT /users/<user%d>", i))
		wg.Go(func() {
			switch got := a.Do(who, do, `{"authData":{"other":{"id":"two","token":"ok"}}}`); {
			case got.Status == 200:
				linked.Add(1)
			case !strings.Contains(got.Body, `"code":208`):
				t.Errorf("%d %s", got.Status, got.Body)
			}
		})
	}
	wg.Wait()
	if linked.Load() != 1 {
		t.Errorf("%d users have the id", linked.Load())
	}
}

// TestProvidersAreAskedOutside: a provider that takes long holds no other write up.
func TestProvidersAreAskedOutside(t *testing.T) {
	asked, proceed := make(chan struct{}), make(chan struct{})
	p := providers(t, map[string]identity.Adapter{"slow": identity.Functions{ValidateAuthData: func(context.Context, *identity.Request) (identity.Outcome, error) {
		close(asked)
		<-proceed
		return identity.Outcome{}, nil
	}}})
	a := apptest.New(t, func(o *apptest.Options) { o.Write.Providers = p })
	done := make(chan apptest.Answer)
	go func() { done <- a.Do("", "POST /users", `{"authData":{"slow":{"id":"1"}}}`) }()
	<-asked
	a.Play(t, []apptest.Step{signUp("ann")})
	close(proceed)
	if got := <-done; got.Status != 201 {
		t.Errorf("%d %s", got.Status, got.Body)
	}
}

// TestRepeatedLogIns: a write that is sent again under its id gets the first answer, though its code is used up.
func TestRepeatedLogIns(t *testing.T) {
	a, _ := withOwn(t, nil)
	a.Play(t, []apptest.Step{signUp("ann")})
	for i, tt := range []struct{ who, do, body string }{
		{"", "POST /users", `{"authData":{"code":{"code":"code-of-new"}}}`},
		{"", "POST /users", `{"authData":{"code":{"code":"code-of-new#2"}}}`},
		{"", "POST /login", `{"username":"ann","password":"pw","authData":{"code":{"code":"code-of-ann"}}}`},
		{"<tokann>", "PUT /users/<ann>", `{"authData":{"code":{"code":"code-of-ann#2"}}}`},
	} {
		id := fmt.Sprint("w", i)
		first := a.DoID(a.Fill(tt.who), a.Fill(tt.do), tt.body, id)
		second := a.DoID(a.Fill(tt.who), a.Fill(tt.do), tt.body, id)
		if first.Status > 201 || first != second {
			t.Errorf("%s:\n%+v, and again\n%+v", tt.do, first, second)
		}
		if strings.Contains(tt.do, "<") {
			continue // what is stored already needs no code
		}
		if again := a.DoID(a.Fill(tt.who), a.Fill(tt.do), tt.body, ""); again.Status != 400 {
			t.Errorf("a code was good twice: %+v", again)
		}
	}
}

// TestCodeBeforeLogIn: a second factor that has to send a code first keeps it although the log-in fails.
func TestCodeBeforeLogIn(t *testing.T) {
	sent := make(chan string, 10)
	adapter, err := mfa.New(mfa.Options{Options: []string{"SMS"}, SendSMS: func(_ context.Context, token, _ string) error {
		sent <- token
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	p := providers(t, map[string]identity.Adapter{"mfa": adapter, "anonymous": identity.Anonymous()})
	a := apptest.New(t, func(o *apptest.Options) { o.Write.Providers = p })
	a.Play(t, []apptest.Step{
		signUp("sam"),
		{Who: "<toksam>", Do: "PUT /users/<sam>", Body: `{"authData":{"mfa":{"mobile":"+491"},"anonymous":{"id":"sam"}}}`, Want: `{"updatedAt":"<ts>","authDataResponse":{}}`},
		{Do: "POST /login", Body: `{"username":"sam","password":"pw"}`, Want: `<any>"authData":{"mfa":{"status":"disabled"},"anonymous":{"id":"sam"}}<any>`},
	})
	a.Play(t, []apptest.Step{
		{Who: "<toksam>", Do: "PUT /users/<sam>", Body: `{"authData":{"mfa":{"mobile":"+491","token":"` + <-sent + `"}}}`, Want: `{"updatedAt":"<ts>","authDataResponse":{}}`},
		{Do: "POST /login", Body: `{"username":"sam","password":"pw"}`, Status: 400, Want: `{"code":-1,"error":"Missing additional authData mfa"}`},
		{Do: "POST /login", Body: `{"username":"sam","password":"pw","authData":{"mfa":{"token":"request"}}}`, Status: 400, Want: `{"code":141,"error":"Please enter the token"}`},
	})
	token := <-sent
	in := `{"username":"sam","password":"pw","authData":{"mfa":{"token":"` + token + `"}}}`
	a.Play(t, []apptest.Step{
		{Do: "POST /login", Body: in, Want: `<any>"sessionToken":"<tok1>","authDataResponse":{}}`},
		{Do: "POST /login", Body: in, Status: 400, Want: `{"code":141,"error":"Invalid MFA token"}`},
		{Do: "POST /users", Body: `{"authData":{"anonymous":{"id":"sam"},"mfa":{"token":"request"}}}`, Status: 400, Want: `{"code":141,"error":"Please enter the token"}`},
	})
	// GHSA-jpq4-7fmq-q5fj: of many log-ins with one token one succeeds.
	in = `{"username":"sam","password":"pw","authData":{"mfa":{"token":"` + <-sent + `"}}}`
	var wg sync.WaitGroup
	var succeeded atomic.Int64
	for range 20 {
		wg.Go(func() {
			if got := a.Do("", "POST /login", in); got.Status == 200 {
				succeeded.Add(1)
			}
		})
	}
	wg.Wait()
	if succeeded.Load() != 1 {
		t.Errorf("%d log-ins succeeded with one token", succeeded.Load())
	}
}

func TestChallenge(t *testing.T) {
	a, _ := withOwn(t, nil)
	other := func(text string) string { return `{"code":-1,"error":"` + text + `"}` }
	const (
		unknown = `{"code":101,"error":"User not found."}`
		ask     = `"challengeData":{"pin":{"q":1}}`
	)
	a.Play(t, []apptest.Step{
		signUp("cat"),
		{Who: "<tokcat>", Do: "PUT /users/<cat>", Body: `{"authData":{"pin":{"pin":"1"},"mine":{"id":"c","token":"ok"},"code":{"code":"code-of-cat"}}}`, Want: `<any>`},
		{Do: "POST /challenge", Body: `{}`, Status: 400, Want: other("Nothing to challenge.")},
		{Do: "POST /challenge", Body: `{"challengeData":"x"}`, Status: 400, Want: other("challengeData should be an object.")},
		{Do: "POST /challenge", Body: `{"challengeData":[]}`, Want: `{"challengeData":{}}`},
		{Do: "POST /challenge", Body: `{"challengeData":{"pin":{"q":1},"mfa":{},"nosuch":{},"constructor":{},"mine":{}}}`, Want: `{"challengeData":{"pin":{"got":{"q":1},"has":false,"user":false}}}`},
		{Do: "POST /challenge", Body: `{"challengeData":{"pin":null}}`, Want: `{"challengeData":{"pin":{"got":null,"has":false,"user":false}}}`},
		{Do: "POST /challenge", Body: `{"challengeData":{"pin":"refuse"}}`, Status: 400, Want: `{"code":141,"error":"no challenge"}`},
		{Do: "POST /challenge", Body: `{"username":"cat",` + ask + `}`, Status: 400, Want: other("You provided username or email, you need to also provide password.")},
		{Do: "POST /challenge", Body: `{"username":"cat","password":"bad",` + ask + `}`, Status: 404, Want: `{"code":101,"error":"Invalid username/password."}`},
		{Do: "POST /challenge", Body: `{"username":"cat","password":"pw"}`, Status: 400, Want: other("Nothing to challenge.")},
		{Do: "POST /challenge", Body: `{"username":"cat","password":"pw",` + ask + `}`, Want: `{"challengeData":{"pin":{"got":{"q":1},"has":true,"user":true}}}`},
		{Do: "POST /challenge", Body: `{"username":"cat","password":"pw","authData":{"pin":{}},` + ask + `}`, Status: 400, Want: other("You cannot provide username/email and authData, only use one identification method.")},
		{Do: "POST /challenge", Body: `{"authData":"x",` + ask + `}`, Status: 400, Want: other("authData should be an object.")},
		{Do: "POST /challenge", Body: `{"authData":{"pin":5},` + ask + `}`, Status: 400, Want: other("authData.pin should be an object.")},
		{Do: "POST /challenge", Body: `{"authData":{"pin":[]},` + ask + `}`, Status: 400, Want: other("authData.pin should be an object.")},
		{Do: "POST /challenge", Body: `{"authData":{},` + ask + `}`, Status: 404, Want: unknown},
		{Do: "POST /challenge", Body: `{"authData":{"mine":{"id":"c","token":"bad"}},` + ask + `}`, Status: 404, Want: unknown},
		{Do: "POST /challenge", Body: `{"authData":{"mine":{"id":"x","token":"ok"}},` + ask + `}`, Status: 404, Want: unknown},
		{Do: "POST /challenge", Body: `{"authData":{"mine":{"id":5,"token":"ok"}},` + ask + `}`, Status: 400, Want: `{"code":162,"error":"Invalid authData id for provider 'mine'."}`},
		{Do: "POST /challenge", Body: `{"authData":{"mine":{"id":"c","token":"ok"}},` + ask + `}`, Want: `{"challengeData":{"pin":{"got":{"q":1},"has":true,"user":true}}}`},
		{Do: "POST /challenge", Body: `{"authData":{"mine":{"id":"c","token":"ok"},"solo":{"id":"x"}},` + ask + `}`, Status: 400, Want: other("You cannot provide more than one authData provider with an id.")},
		{Do: "POST /challenge", Body: `{"authData":{"nosuch":{"id":"c","token":"ok"}},` + ask + `}`, Status: 404, Want: unknown},
		// GHSA-mr43-w6c2-mvjq: an id alone is no proof where a code is.
		{Do: "POST /challenge", Body: `{"authData":{"code":{"id":"cat"}},` + ask + `}`, Status: 404, Want: unknown},
		{Do: "POST /challenge", Body: `{"authData":{"code":{"code":"code-of-cat#2"}},` + ask + `}`, Want: `{"challengeData":{"pin":{"got":{"q":1},"has":true,"user":true}}}`},
	})
}
