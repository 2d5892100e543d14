package users_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parsescale/parsescale/server/users/apptest"
)

func signUp(name string) apptest.Step {
	return apptest.Step{
		Do: "POST /users", Body: `{"username":"` + name + `","password":"pw"}`,
		Want: `{"objectId":"<` + name + `>","createdAt":"<ts>","sessionToken":"<tok` + name + `>"}`,
	}
}

func TestSessions(t *testing.T) {
	a := apptest.New(t, nil)
	const gone = `{"code":101,"error":"Object not found."}`
	a.Play(t, []apptest.Step{
		signUp("ann"), signUp("bob"),
		{Do: "GET /sessions/me", Status: 400, Want: `{"code":209,"error":"Session token required."}`},
		{Who: "r:nope", Do: "GET /sessions/me", Status: 400, Want: `{"code":209,"error":"Session token not found."}`},
		{Who: "<tokann>", Do: "GET /sessions/me", Want: `{"objectId":"<s>","createdAt":"<ts>","updatedAt":"<ts>","user":{"objectId":"<ann>","__type":"Pointer","className":"_User"},"sessionToken":"<tokann>","expiresAt":{"__type":"Date","iso":"<ts>"},"createdWith":{"action":"signup","authProvider":"password"}}`},
		{Do: "GET /sessions", Status: 400, Want: `{"code":209,"error":"Permission denied"}`},
		{Do: "GET /sessions/<s>", Status: 400, Want: `{"code":209,"error":"Permission denied"}`},
		{Who: "<tokbob>", Do: "GET /sessions/<s>", Status: 404, Want: gone},
		{Who: "<tokbob>", Do: `GET /sessions?where={"sessionToken":"<tokann>"}`, Want: `{"results":[]}`},
		{Who: "<tokbob>", Do: `GET /sessions?where={"$or":[{"objectId":"<s>"},{"objectId":"x"}]}&count=1&limit=0`, Want: `{"results":[],"count":0}`},
		{Who: "<tokbob>", Do: "PUT /sessions/<s>", Body: `{"foo":"x"}`, Status: 404, Want: gone},
		{Do: "PUT /sessions/<s>", Body: `{"foo":"x"}`, Status: 400, Want: `{"code":209,"error":"Session token required."}`},
		{Who: "<tokann>", Do: "PUT /sessions/<s>", Body: `{"user":{"__type":"Pointer","className":"_User","objectId":"<bob>"}}`, Status: 400, Want: `{"code":105,"error":"Invalid key name: user"}`},
		{Who: "<tokann>", Do: "PUT /sessions/<s>", Body: `{"user":{"__type":"Pointer","className":"_User","objectId":"<ann>"}}`, Want: `{"updatedAt":"<ts>"}`},
		{Who: "<tokann>", Do: "PUT /sessions/<s>", Body: `{"installationId":"x"}`, Status: 400, Want: `{"code":105,"error":"Invalid key name: installationId"}`},
		{Who: "<tokann>", Do: "PUT /sessions/<s>", Body: `{"sessionToken":"x"}`, Status: 400, Want: `{"code":105,"error":"Invalid key name: sessionToken"}`},
		{Who: "<tokann>", Do: "PUT /sessions/<s>", Body: `{"expiresAt":{"__type":"Date","iso":"2099-01-01T00:00:00.000Z"}}`, Status: 400, Want: `{"code":105,"error":"Invalid key name: expiresAt"}`},
		{Who: "<tokann>", Do: "PUT /sessions/<s>", Body: `{"createdWith":{}}`, Status: 400, Want: `{"code":105,"error":"Invalid key name: createdWith"}`},
		{Who: "<tokann>", Do: "PUT /sessions/<s>", Body: `{"ACL":{}}`, Status: 400, Want: `{"code":105,"error":"Cannot set ACL on a Session."}`},
		{Who: "<tokann>", Do: "PUT /sessions/<s>", Body: `{"foo":"bar"}`, Want: `{"updatedAt":"<ts>"}`},
		{Who: "master", Do: "PUT /sessions/<s>", Body: `{"expiresAt":{"__type":"Date","iso":"2099-01-01T00:00:00.000Z"}}`, Want: `{"updatedAt":"<ts>"}`},
		{Do: "POST /sessions", Body: `{}`, Status: 400, Want: `{"code":209,"error":"Session token required."}`},
		{
			Who: "<tokann>", Do: "POST /sessions", Body: `{"foo":"x","user":{"__type":"Pointer","className":"_User","objectId":"<bob>"},"sessionToken":"r:mine"}`,
			Want: `{"sessionToken":"<tok2>","user":{"__type":"Pointer","className":"_User","objectId":"<ann>"},"createdWith":{"action":"create"},"expiresAt":{"__type":"Date","iso":"<ts>"},"foo":"x","objectId":"<s2>"}`,
		},
		{Who: "<tok2>", Do: "GET /users/me", Want: `{"objectId":"<ann>",<any>}`},
		{Who: "<tokann>", Do: "GET /sessions?count=1&limit=0", Want: `{"results":[],"count":2}`},
		{Who: "<tokbob>", Do: "DELETE /sessions/<s2>", Status: 404, Want: `{"code":101,"error":"Object not found for delete."}`},
		{Do: "DELETE /sessions/<s2>", Status: 400, Want: `{"code":209,"error":"Permission denied"}`},
		{Who: "<tokann>", Do: "DELETE /sessions/<s2>", Want: `{}`},
		{Who: "<tok2>", Do: "GET /users/me", Status: 400, Want: `{"code":209,"error":"Invalid session token"}`},
		{Who: "<tok2>", Do: "GET /classes/A", Status: 400, Want: `{"code":209,"error":"Invalid session token"}`},
		{Who: "<tok2>", Do: "POST /classes/A", Body: `{}`, Status: 400, Want: `{"code":209,"error":"Invalid session token"}`},
		{Who: "r:" + strings.Repeat("0", 5000), Do: "GET /classes/A", Status: 400, Want: `{"code":209,"error":"Invalid session token"}`},
	})
}

func TestOneSessionPerInstallation(t *testing.T) {
	a := apptest.New(t, nil)
	const in = `{"username":"ann","password":"pw"}`
	a.Play(t, []apptest.Step{
		signUp("ann"),
		{Who: "installation=phone", Do: "POST /login", Body: in, Want: `<any>"sessionToken":"<tok1>"}`},
		{Who: "installation=desk", Do: "POST /login", Body: in, Want: `<any>"sessionToken":"<tok2>"}`},
		{Who: "installation=phone", Do: "POST /login", Body: in, Want: `<any>"sessionToken":"<tok3>"}`},
		{Who: "<tok1>", Do: "GET /users/me", Status: 400, Want: `{"code":209,"error":"Invalid session token"}`},
		{Who: "<tok2>", Do: "GET /users/me", Want: `{"objectId":"<ann>",<any>}`},
		{Who: "<tok3>", Do: "GET /users/me", Want: `{"objectId":"<ann>",<any>}`},
		{Who: "<tokann>", Do: "GET /users/me", Want: `{"objectId":"<ann>",<any>}`},
	})
}

func TestSessionsExpire(t *testing.T) {
	clock := apptest.NewClock()
	a := apptest.New(t, func(o *apptest.Options) {
		o.Read.Now, o.Write.Now = clock.Now, clock.Now
		o.Write.SessionLength = 3600
	})
	a.Play(t, []apptest.Step{signUp("ann"), {Who: "<tokann>", Do: "POST /classes/A", Body: `{}`, Want: `{"objectId":"<o>",<any>}`}})
	rights := a.Do(a.Fill("<tokann>"), "GET /classes/A", "").Rights
	if !strings.Contains(rights, "expires=") {
		t.Errorf("rights don't say when they end: %q", rights)
	}
	clock.Advance(3601 * time.Second)
	a.Play(t, []apptest.Step{
		{Who: "<tokann>", Do: "GET /users/me", Status: 400, Want: `{"code":209,"error":"Session token is expired."}`},
		{Who: "<tokann>", Do: "GET /sessions/me", Status: 400, Want: `{"code":209,"error":"Session token is expired."}`},
		{Who: "<tokann>", Do: "GET /classes/A", Status: 400, Want: `{"code":209,"error":"Session token is expired."}`},
		{Who: "<tokann>", Do: "PUT /classes/A/<o>", Body: `{}`, Status: 400, Want: `{"code":209,"error":"Session token is expired."}`},
	})
}

func TestRoles(t *testing.T) {
	a := apptest.New(t, nil)
	addTo := func(relation, class, id string) string {
		return `{"` + relation + `":{"__op":"AddRelation","objects":[{"__type":"Pointer","className":"` + class + `","objectId":"` + id + `"}]}}`
	}
	const gone = `{"code":101,"error":"Object not found."}`
	const seen = `{"objectId":"<o>","createdAt":"<ts>","updatedAt":"<ts>","ACL":{"role:Admin":{"read":true}}}`
	a.Play(t, []apptest.Step{
		signUp("ann"), signUp("bob"),
		{Do: "POST /roles", Body: `{"name":"Admin"}`, Status: 400, Want: `{"code":111,"error":"ACL is required."}`},
		{Who: "master", Do: "POST /roles", Body: `{"ACL":{}}`, Status: 400, Want: `{"code":111,"error":"name is required."}`},
		{Who: "master", Do: "POST /roles", Body: `{"name":"Admin","ACL":{"*":{"read":true}}}`, Want: `{"objectId":"<admin>","createdAt":"<ts>"}`},
		{Who: "master", Do: "POST /roles", Body: `{"name":"Admin","ACL":{}}`, Status: 400, Want: `{"code":137,"error":"A duplicate value for a field with unique values was provided"}`},
		{Who: "master", Do: "POST /roles", Body: `{"name":"Boss","ACL":{}}`, Want: `{"objectId":"<boss>","createdAt":"<ts>"}`},
		{Who: "master", Do: "POST /roles", Body: `{"name":"Owner","ACL":{}}`, Want: `{"objectId":"<owner>","createdAt":"<ts>"}`},
	})
	a.Play(t, []apptest.Step{
		{Do: "PUT /roles/<admin>", Body: addTo("users", "_User", "<bob>"), Status: 404, Want: gone},
		{Who: "master", Do: "PUT /roles/<admin>", Body: `{"name":{"__op":"Delete"}}`, Status: 400, Want: `{"code":111,"error":"name is required."}`},
		{Who: "master", Do: "PUT /roles/<admin>", Body: `{"ACL":{"__op":"Delete"}}`, Status: 400, Want: `{"code":111,"error":"ACL is required."}`},
		{Who: "master", Do: "POST /classes/A", Body: `{"ACL":{"role:Admin":{"read":true}}}`, Want: `{"objectId":"<o>","createdAt":"<ts>"}`},
		{Who: "<tokann>", Do: "GET /classes/A/<o>", Status: 404, Want: gone},
		// A member.
		{Who: "master", Do: "PUT /roles/<admin>", Body: addTo("users", "_User", "<ann>"), Want: `{"updatedAt":"<ts>"}`},
		{Who: "<tokann>", Do: "GET /classes/A/<o>", Want: seen},
		{Who: "<tokbob>", Do: "GET /classes/A/<o>", Status: 404, Want: gone},
		{Who: "master", Do: `GET /users?where={"$relatedTo":{"object":{"__type":"Pointer","className":"_Role","objectId":"<admin>"},"key":"users"}}&keys=username`, Want: `{"results":[{"objectId":"<ann>","createdAt":"<ts>","updatedAt":"<ts>","username":"ann","ACL":{"<ann>":{"read":true,"write":true}}}]}`},
		// A former member.
		{Who: "master", Do: "PUT /roles/<admin>", Body: strings.Replace(addTo("users", "_User", "<ann>"), "Add", "Remove", 1), Want: `{"updatedAt":"<ts>"}`},
		{Who: "<tokann>", Do: "GET /classes/A/<o>", Status: 404, Want: gone},
		// Admin has the members of Boss, Boss those of Owner, and Owner those of Admin: a cycle.
		{Who: "master", Do: "PUT /roles/<owner>", Body: addTo("users", "_User", "<ann>"), Want: `{"updatedAt":"<ts>"}`},
		{Who: "master", Do: "PUT /roles/<boss>", Body: addTo("roles", "_Role", "<owner>"), Want: `{"updatedAt":"<ts>"}`},
		{Who: "<tokann>", Do: "GET /classes/A/<o>", Status: 404, Want: gone},
		{Who: "master", Do: "PUT /roles/<admin>", Body: addTo("roles", "_Role", "<boss>"), Want: `{"updatedAt":"<ts>"}`},
		{Who: "master", Do: "PUT /roles/<owner>", Body: addTo("roles", "_Role", "<admin>"), Want: `{"updatedAt":"<ts>"}`},
		{Who: "<tokann>", Do: "GET /classes/A/<o>", Want: seen},
		{Who: "<tokbob>", Do: "GET /classes/A/<o>", Status: 404, Want: gone},
		// The role in between goes.
		{Who: "master", Do: "DELETE /roles/<boss>", Want: `{}`},
		{Who: "master", Do: "DELETE /roles/<admin>", Want: `{}`},
		{Who: "<tokann>", Do: "GET /classes/A/<o>", Status: 404, Want: gone},
	})
	answer := a.Do(a.Fill("<tokann>"), "GET /classes/A", "")
	for _, want := range []string{"_Role", "_Join:users:_Role", "_Join:roles:_Role", a.Fill("_User:<ann>")} {
		if !strings.Contains(" "+answer.Rights+" ", " "+want+" ") {
			t.Errorf("the rights don't say that they depend on %s: %s", want, answer.Rights)
		}
	}
	if answer.Reads != "" {
		t.Errorf("an answer depends on %s, beside the rights", answer.Reads)
	}
	if got := a.Do("", "GET /classes/A", ""); got.Reads != "" || got.Rights != "" {
		t.Errorf("an answer for nobody depends on %s and the rights %s", got.Reads, got.Rights)
	}
}

// TestSessionsEndTwice: sessions that end by themselves while a change of password ends all of a user's are no reason for it
// to fail.
func TestSessionsEndTwice(t *testing.T) {
	a := apptest.New(t, nil)
	a.Play(t, []apptest.Step{signUp("ann")})
	const rounds, sessions = 4, 30
	for round := range rounds {
		var tokens []string
		for range sessions {
			got := a.Do("", "POST /login", `{"username":"ann","password":"pw"}`)
			_, token, _ := strings.Cut(got.Body, `"sessionToken":"`)
			token, _, _ = strings.Cut(token, `"`)
			if got.Status != 200 || token == "" {
				t.Fatalf("%d %s", got.Status, got.Body)
			}
			tokens = append(tokens, token)
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			if got := a.Do("master", a.Fill("PUT /users/<ann>"), `{"password":"pw"}`); got.Status != 200 {
				t.Errorf("round %d: %d %s", round, got.Status, got.Body)
			}
		})
		for _, token := range tokens {
			wg.Go(func() { a.Do(token, "POST /logout", `{}`) })
		}
		wg.Wait()
	}
}

// TestOneSessionPerInstallationAtOnce: of log-ins of one installation at the same time, by whatever door, one session is left.
func TestOneSessionPerInstallationAtOnce(t *testing.T) {
	a := apptest.New(t, nil)
	a.Play(t, []apptest.Step{
		signUp("ann"),
		{Do: "POST /users", Body: `{"authData":{"anonymous":{"id":"x"}}}`, Want: `{"objectId":"<guest>",<any>}`},
	})
	for name, door := range map[string]struct{ who, do, body, user string }{
		"by password":   {"installation=i1", "POST /login", `{"username":"ann","password":"pw"}`, "<ann>"},
		"by a provider": {"installation=i2", "POST /users", `{"authData":{"anonymous":{"id":"x"}}}`, "<guest>"},
		"as another":    {"master installation=i3", "POST /loginAs", a.Fill(`{"userId":"<ann>"}`), "<ann>"},
	} {
		for range 4 {
			var wg sync.WaitGroup
			for range 12 {
				wg.Go(func() {
					if got := a.Do(door.who, door.do, door.body); got.Status != 200 {
						t.Errorf("%s: %d %s", name, got.Status, got.Body)
					}
				})
			}
			wg.Wait()
			_, installation, _ := strings.Cut(door.who, "installation=")
			got := a.Do("master", `GET /sessions?count=1&limit=0&where={"installationId":"`+installation+`"}`, "")
			if got.Body != `{"results":[],"count":1}` {
				t.Errorf("%s: %s", name, got.Body)
			}
		}
	}
}
