package users_test

import (
	"testing"
	"time"

	"github.com/parsescale/parsescale/server/users/apptest"
)

// TestSessionsLastLongerWhenUsed: not before half of their time is over, and not when they have ended.
func TestSessionsLastLongerWhenUsed(t *testing.T) {
	clock := apptest.NewClock()
	a := apptest.New(t, func(o *apptest.Options) {
		o.Write.Now, o.Write.SessionLength = clock.Now, 1000
		o.Users.ExtendSessionOnUse, o.Users.SessionLength = true, 1000*time.Second
	})
	a.Play(t, []apptest.Step{
		signUp("ann"), signUp("bob"),
		{Who: "<tokann>", Do: "GET /sessions/me", Want: `{"objectId":"<s>",<any>}`},
	})
	ends := func() string { return a.Do("master", a.Fill("GET /sessions/<s>?keys=expiresAt"), "").Body }
	use := func() { a.Users.Used(a.Fill("<tokann>")) }
	first := ends()
	clock.Advance(499 * time.Second)
	use()
	time.Sleep(50 * time.Millisecond)
	if ends() != first {
		t.Error("extended before half of the time was over")
	}
	clock.Advance(2 * time.Second)
	use()
	deadline := time.Now().Add(20 * time.Second)
	for ends() == first {
		if time.Now().After(deadline) {
			t.Fatal("not extended")
		}
		time.Sleep(5 * time.Millisecond)
	}
	clock.Advance(998 * time.Second)
	a.Play(t, []apptest.Step{
		{Who: "<tokann>", Do: "GET /users/me", Want: `{"objectId":"<ann>",<any>}`},
		{Who: "<tokbob>", Do: "GET /users/me", Status: 400, Want: `{"code":209,"error":"Session token is expired."}`},
	})
	clock.Advance(4 * time.Second)
	second := ends()
	use()
	time.Sleep(50 * time.Millisecond)
	if ends() != second {
		t.Error("a session that has ended is extended")
	}
}

func TestUpgradeOpensASession(t *testing.T) {
	a := apptest.New(t, nil)
	a.Play(t, []apptest.Step{
		signUp("ann"),
		{Do: "POST /upgradeToRevocableSession", Status: 404, Want: `{"code":101,"error":"invalid session"}`},
		{Who: "master", Do: "POST /upgradeToRevocableSession", Status: 404, Want: `{"code":101,"error":"invalid session"}`},
		{Who: "legacy", Do: "POST /upgradeToRevocableSession", Status: 400, Want: `{"code":209,"error":"invalid legacy session token"}`},
		{Who: "r:no", Do: "POST /upgradeToRevocableSession", Status: 400, Want: `{"code":209,"error":"Invalid session token"}`},
		{
			Who: "<tokann>", Do: "POST /upgradeToRevocableSession",
			Want: `{"objectId":"<s>","createdAt":"<ts>","updatedAt":"<ts>","user":{"objectId":"<ann>","__type":"Pointer","className":"_User"},"sessionToken":"<tok2>","expiresAt":{"__type":"Date","iso":"<ts>"},"createdWith":{"action":"upgrade"}}`,
		},
		{Who: "<tok2>", Do: "GET /users/me", Want: `{"objectId":"<ann>",<any>}`},
	})
}
