package users_test

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parsescale/parsescale/server/identity"
	"github.com/parsescale/parsescale/server/identity/mfa"
	"github.com/parsescale/parsescale/server/users/apptest"
)

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
