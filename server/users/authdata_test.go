package users_test

import (
	"context"
	"strings"
	"sync"
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
